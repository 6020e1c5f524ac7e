"""The checkout: from a cart to a paid order. This feature calls carts, stock, orders, payments and mail."""
