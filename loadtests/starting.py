"""What both Locust files do before the first visit: refuse other machines, and ask the store what it sells."""

import logging
import sys
from argparse import ArgumentParser

import gevent
from locust import events
from locust.env import Environment
from users import DEFAULT_HOST, THINK_MEDIAN_S, Assortment, Person

from shop.errors import ConfigurationError, ShopError
from shop.lab.hosts import check_loopback

MISUSED = 2
DEFAULT_EXPONENT = 1.0

_log = logging.getLogger(__name__)


def prepare() -> None:
    """Hook into Locust's start; called once by a locustfile."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gevent.get_hub().loop.update_now()  # imports took a while; --run-time would be short by it
    events.init_command_line_parser.add_listener(_arguments)
    events.init.add_listener(_refuse_other_machines)
    events.test_start.add_listener(_fetch)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--exponent", type=float, default=DEFAULT_EXPONENT, help="Of Zipf's law, by which products are chosen."
    )
    parser.add_argument("--think", type=float, default=THINK_MEDIAN_S, help="Median seconds people look at a page.")


def _refuse_other_machines(environment: Environment, **_: object) -> None:
    try:
        check_loopback(environment.host or DEFAULT_HOST)
    except ConfigurationError as error:
        print(f"loadtests: {error}", file=sys.stderr)
        sys.exit(MISUSED)


def _fetch(environment: Environment, **_: object) -> None:
    Person.think_median_s = environment.parsed_options.think
    try:
        Assortment.fetch(environment.host or DEFAULT_HOST, environment.parsed_options.exponent)
    except (ConfigurationError, ShopError) as error:
        _log.error("%s", error)  # the web UI may name another host than the command line did
        environment.process_exit_code = MISUSED
        if environment.runner is not None:
            environment.runner.quit()
