"""Use cases about a person that need several features: password mail, data export and data erasure."""
