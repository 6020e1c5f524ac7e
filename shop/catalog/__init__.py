"""What is for sale: categories, products, stock, reviews, search."""
