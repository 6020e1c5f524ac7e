"""What both Locust files do before the first visit: refuse other machines, and ask the store what it sells."""

import logging
import sys
from argparse import ArgumentParser

import gevent
from locust import events
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import WorkerRunner
from sessions import STOP_TIMEOUT_S
from users import THINK_MEDIAN_S, Assortment, Person

from shop.errors import ConfigurationError, ServiceUnavailable
from shop.lab.arrivals import SHOPPERS_EXPONENT
from shop.lab.loopback import check_loopback
from shop.settings import load_settings
from shop.stack.endpoints import web_url

MISUSED = 2
LOOPBACK = "127.0.0.1"

_log = logging.getLogger(__name__)


def prepare() -> None:
    """Hook into Locust's start; called once by a locustfile."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gevent.get_hub().loop.update_now()  # imports took a while; --run-time would be short by it
    events.init_command_line_parser.add_listener(_arguments)
    events.init.add_listener(_find_store)
    events.test_start.add_listener(_fetch)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--exponent",
        type=float,
        default=SHOPPERS_EXPONENT,
        help=f"Of Zipf's law, by which products are chosen; 1 is the classic one.  [default: {SHOPPERS_EXPONENT:g}]",
    )
    parser.add_argument("--think", type=float, default=THINK_MEDIAN_S, help="Median seconds people look at a page.")
    # Locust's own: every interface, twice, and no time at the end for the requests that are under way.
    parser.set_defaults(web_host=LOOPBACK, master_bind_host=LOOPBACK, stop_timeout=STOP_TIMEOUT_S)


def _find_store(environment: Environment, **_: object) -> None:
    """Settle which store is meant, and end a run without a page at once if it does not answer."""
    if isinstance(environment.runner, WorkerRunner):
        return  # its master names the store
    try:
        environment.host = check_loopback(environment.host or web_url(load_settings()))
        if environment.parsed_options.headless or environment.parsed_options.autostart:
            _ask(environment)
    except ConfigurationError as error:
        print(f"loadtests: {error}", file=sys.stderr)
        sys.exit(MISUSED)


def _fetch(environment: Environment, **_: object) -> None:
    environment.process_exit_code = None
    try:
        _ask(environment)
    except ConfigurationError as error:
        environment.process_exit_code = MISUSED
        raise StopTest(str(error)) from error  # also where the page names another store than the command line did


def _ask(environment: Environment) -> None:
    Person.think_median_s = environment.parsed_options.think
    try:
        Assortment.fetch(environment.host, environment.parsed_options.exponent)
    except ServiceUnavailable as error:
        raise ConfigurationError(f"{error} Is {environment.host} the store, and is it started (`shop up`)?") from None
