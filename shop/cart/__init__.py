"""Shopping carts of guests and accounts, merged at log-in."""
