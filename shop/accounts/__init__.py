"""Accounts: registration, log-in, roles, sessions, API tokens."""
