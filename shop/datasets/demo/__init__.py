"""A generated store: quick to load, pretty to look at, and the same on every machine."""
