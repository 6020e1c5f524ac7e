"""The parts of ``loadtests/chaos.py``: its own stack, the killer, the clients, and the checks of their outcomes."""
