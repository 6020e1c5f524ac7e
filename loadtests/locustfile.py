"""Locust file of a shop's visitors (closed loop): ``locust -f loadtests/locustfile.py``, then http://127.0.0.1:8089."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # Locust adds the current directory, not the directory of this file

import locust_setup
from users import Browser, Buyer, Shopper

locust_setup.prepare()

__all__ = ["Browser", "Buyer", "Shopper"]
