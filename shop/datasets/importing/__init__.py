"""Another shop's catalogue, from a file."""
