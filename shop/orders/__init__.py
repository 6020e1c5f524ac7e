"""Orders: event streams, the read model, and the pages of customers and staff."""
