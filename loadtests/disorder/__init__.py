"""The parts of ``loadtests/chaos.py``: a store of its own, who breaks it, who buys from it, and what became of it."""
