"""A simulator of a payments provider, for development and measurements: a separate process with its own ledger."""
