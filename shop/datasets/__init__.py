"""Data to sell: generated, real, or somebody's own catalogue."""
