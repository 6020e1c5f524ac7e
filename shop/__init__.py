"""shop: a teaching e-commerce reference monolith. Start reading at ``shop/wiring.py``."""
