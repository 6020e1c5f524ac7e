"""The backend patterns, a folder each."""
