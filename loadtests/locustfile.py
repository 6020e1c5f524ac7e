"""A shop's visitors: ``locust -f loadtests/locustfile.py``, then http://127.0.0.1:8089."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # Locust puts the directory it was started in there, not this one

import starting
from users import Browser, Buyer, Shopper

starting.prepare()

__all__ = ["Browser", "Buyer", "Shopper"]
