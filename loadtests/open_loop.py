"""Locust file of an open loop: ``locust -f loadtests/open_loop.py --headless --rate 50 --run-time 1m``."""

import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # Locust adds the current directory, not the directory of this file

import locust_setup
from locust import events
from locust.env import Environment
from users import OpenLoop


class Arrivals(OpenLoop):
    """Product screens at ``--rate`` visits a second."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=Arrivals.rate, help="Visits a second.")


def _set_rate(environment: Environment, **_: object) -> None:
    Arrivals.rate = locust_setup.options_of(environment).rate


locust_setup.prepare()
events.init_command_line_parser.add_listener(_add_arguments)
events.test_start.add_listener(_set_rate)
