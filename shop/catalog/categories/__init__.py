"""The category tree and its pages."""
