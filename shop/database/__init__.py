"""The database: engine, sessions, explicit transactions, errors and schema."""
