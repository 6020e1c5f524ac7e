"""The parts of ``loadtests/misleading.py``: a server whose behaviour is known, and one module for each way."""
