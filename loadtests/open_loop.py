"""A rate that does not wait: ``locust -f loadtests/open_loop.py --headless --rate 50 --run-time 1m``."""

import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # Locust puts the directory it was started in there, not this one

import starting
from locust import events
from locust.env import Environment
from users import OpenLoop

starting.prepare()


class Arrivals(OpenLoop):
    """Product screens at ``--rate`` visits a second."""


@events.init_command_line_parser.add_listener
def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=Arrivals.rate, help="Visits a second.")


@events.test_start.add_listener
def _rate(environment: Environment, **_: object) -> None:
    Arrivals.rate = environment.parsed_options.rate
