"""Money moving: our record of it, the provider's face, and a simulator of the provider."""
