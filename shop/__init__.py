"""shop: an e-commerce monolith for teaching. Start reading at ``shop/wiring.py``."""
