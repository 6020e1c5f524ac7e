"""Locust file of an open loop: ``locust -f loadtests/open_loop.py --headless --rate 50 --run-time 1m``."""

import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # Locust adds the current directory, not the directory of this file

import locust_setup
from locust import events
from locust.env import Environment
from users import OpenLoop

locust_setup.prepare()


class Arrivals(OpenLoop):
    """Product screens at ``--rate`` visits a second."""


@events.init_command_line_parser.add_listener
def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=Arrivals.rate, help="Visits a second.")


@events.test_start.add_listener
def _set_rate(environment: Environment, **_: object) -> None:
    Arrivals.rate = environment.parsed_options.rate
