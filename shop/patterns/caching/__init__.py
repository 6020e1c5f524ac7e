"""The cache: policies, levels, and the one way to read through them."""
