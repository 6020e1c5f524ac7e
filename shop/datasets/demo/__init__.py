"""The generated demo store: quick to load, and the same on every machine."""
