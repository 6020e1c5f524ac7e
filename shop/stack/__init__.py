"""Starts the local servers, watches them and stops them."""
