"""Import of a catalogue from a file."""
