"""Who is shopping: registration, log-in, roles, API tokens."""
