"""Payments: the store's record, the client of the payments provider, and a simulator of the provider."""
