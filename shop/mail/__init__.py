"""Mail to customers: its templates, and the mailers that send or store it."""
