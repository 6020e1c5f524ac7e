"""Setup of both Locust files: refuses other machines, fetches products before the first visit, records requests."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import gevent
from locust import events
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import MasterRunner, WorkerRunner
from recording.request_log import RequestRecorder
from sessions import STOP_TIMEOUT_S
from users import THINK_MEDIAN_S, Assortment, Person

from shop.errors import ConfigurationError, ServiceUnavailable
from shop.lab.arrivals import SHOPPERS_EXPONENT
from shop.lab.loopback import check_loopback
from shop.settings import load_settings
from shop.stack.endpoints import web_url

EXIT_USAGE = 2
LOOPBACK = "127.0.0.1"

_log = logging.getLogger(__name__)


def prepare() -> None:
    """Add the listeners of Locust's start; a Locust file calls this once."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gevent.get_hub().loop.update_now()  # otherwise --run-time would include the time of the imports
    events.init_command_line_parser.add_listener(_add_arguments)
    events.init.add_listener(_choose_store)
    recorder = RequestRecorder()
    events.request.add_listener(recorder)
    events.test_start.add_listener(lambda environment, **_: _prepare_run(environment, recorder))


def options_of(environment: Environment) -> Namespace:
    """Return the options of the command line.

    Raises:
        ConfigurationError: a program runs Locust, without a command line.
    """
    if environment.parsed_options is None:
        raise ConfigurationError("Run this Locust file with the command `locust -f`; its options are missing.")
    options: Namespace = environment.parsed_options
    return options


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--exponent",
        type=float,
        default=SHOPPERS_EXPONENT,
        help=f"Exponent of Zipf's law for the choice of products; 1 is classic.  [default: {SHOPPERS_EXPONENT:g}]",
    )
    parser.add_argument("--think", type=float, default=THINK_MEDIAN_S, help="Median time on a page, in seconds.")
    parser.add_argument("--record", default="", include_in_web_ui=False, help="File for the time of each request.")
    # Locust's own defaults: all interfaces for both addresses, and no time for running requests at the end.
    parser.set_defaults(web_host=LOOPBACK, master_bind_host=LOOPBACK, stop_timeout=STOP_TIMEOUT_S)


def _choose_store(environment: Environment, **_: object) -> None:
    """Choose the store, and end a run without a web page at once if the store does not answer."""
    if isinstance(environment.runner, WorkerRunner):
        return  # the master names the store
    try:
        environment.host = check_loopback(environment.host or web_url(load_settings()))
        options = options_of(environment)
        if options.headless or options.autostart:
            _fetch_assortment(environment)
    except ConfigurationError as error:
        print(f"loadtests: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE)


def _prepare_run(environment: Environment, recorder: RequestRecorder) -> None:
    environment.process_exit_code = None
    try:
        _open_record(environment, recorder)
        _fetch_assortment(environment)  # again, since the web page may name another store than the command line
    except ConfigurationError as error:
        environment.process_exit_code = EXIT_USAGE
        raise StopTest(str(error)) from error


def _open_record(environment: Environment, recorder: RequestRecorder) -> None:
    """Begin the file anew in the process that leads the run; each process that visits appends to it.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    recorder.close()
    if not (name := options_of(environment).record):
        return
    try:
        if not isinstance(environment.runner, WorkerRunner):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text("", encoding="utf-8")
        if not isinstance(environment.runner, MasterRunner):
            recorder.open(Path(name))
    except OSError as error:
        raise ConfigurationError(f"--record {name} cannot be written: {error.strerror}.") from None


def _fetch_assortment(environment: Environment) -> None:
    options = options_of(environment)
    Person.think_median_s = options.think
    try:
        Assortment.fetch(environment.host or "", options.exponent)
    except ServiceUnavailable as error:
        raise ConfigurationError(f"{error} Does the store run at {environment.host} (`bin/shop up`)?") from None
