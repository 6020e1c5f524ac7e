"""Raw times of a Locust run (``--record FILE``), and what is computed from them."""
