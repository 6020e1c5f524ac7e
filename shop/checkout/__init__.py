"""From a cart to a paid order; the one feature that orchestrates the others."""
