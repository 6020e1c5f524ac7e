"""Seeing what the store does: correlation ids, the record of a request, structured logs."""
