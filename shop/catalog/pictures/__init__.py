"""Pictures of products and categories, drawn from their names."""
