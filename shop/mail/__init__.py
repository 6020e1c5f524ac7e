"""Mail to shoppers: how it is written, and how it leaves."""
