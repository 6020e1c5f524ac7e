"""One command that flips a switch under Locust's visitors and compares both values, with exact percentiles.

    .venv/bin/python loadtests/flip_and_compare.py cache.shared off on [--users N] [--seconds S] [--with NAME=VALUE]
        [--page FILE]

The visitors of ``locustfile.py`` use the running store of this checkout all the time. Meanwhile the switch takes both
values in turn: first, second, second, first. The first seconds after each flip are not measured. At the end, and after
Ctrl-C or kill -9, every switch has its earlier value; no experiment can run at the same time. ``--page`` puts the table
into a page of the documentation.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from recording.arm_comparison import IN_FRONT, ArmComparison, MeasuredWindow, arm_order, compare_arms, comparison_table
from recording.page_block import fenced, replace_block
from recording.request_log import read_requests

from shop.errors import ConfigurationError, InvalidFields, ServiceUnavailable
from shop.lab.machine import describe_machine
from shop.lab.progress_file import show_progress
from shop.lab.saved_state import ExperimentInterrupted, restore_afterwards
from shop.lab.store_client import StoreClient
from shop.settings import load_settings
from shop.stack.endpoints import web_url
from shop.switches.registry import validate

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
START_S, START_LIMIT_S = 4.0, 30.0
"""Until the visitors make their first requests: usually, and at most."""
POLL_S = 0.05
EXIT_USAGE, SIGNAL_EXIT = 2, 128


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """The options of the command line.

    Args:
        switch: to flip.
        values: its two values.
        users: number of visitors.
        seconds: measured seconds of each value.
        rounds: pieces into which these seconds are divided.
        settle_s: seconds after each flip that are not measured.
        think: median time of a visitor on a page, in seconds.
        held: further switches and their values in both arms.
        visitors: their kinds; all by default.
    """

    switch: str
    values: tuple[str, str]
    users: int
    seconds: float
    rounds: int
    settle_s: float
    think: float
    held: Mapping[str, str]
    visitors: Sequence[str]

    @property
    def load_s(self) -> float:
        """Return how long the visitors stay after their first request."""
        return 2 * (self.seconds + self.rounds * self.settle_s)


def main() -> int:
    """Flip, load, compare, print; return the exit code."""
    options, given = _parse_options()
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    settings = load_settings()
    try:
        with closing(StoreClient(given.url or web_url(settings))) as store:
            store.check_ready()
            say(_announcement(options, store.base_url))
            size = store.size()
            comparison = run(store, settings.var_dir / "lab", options, say)
    except (ConfigurationError, ServiceUnavailable) as error:
        print(f"flip_and_compare: {error}", file=sys.stderr)
        return EXIT_USAGE
    except ExperimentInterrupted as stop:
        print("flip_and_compare: interrupted; every switch has its earlier value.", file=sys.stderr)
        return SIGNAL_EXIT + stop.number
    if given.page:
        replace_block(given.page, "flip-and-compare", f"{fenced(comparison_table(comparison))}\n\n{_origin(size)}")
    print(json.dumps(comparison.as_json(), indent=1) if given.json else f"\n{comparison_table(comparison)}")
    say("\nOne comparison claims nothing: `bin/shop lab list` names the experiments that judge a pattern.")
    return 0


def run(store: StoreClient, folder: Path, options: ComparisonOptions, say: Callable[[str], None]) -> ArmComparison:
    """Let visitors use the store while the switch takes both values in turn, restore it, and compare.

    Args:
        store: a client of the store.
        folder: of the restore file.
        options: of the command line.
        say: receives what happens.

    Raises:
        ConfigurationError: an experiment is running, or the store lacks a switch.
        ServiceUnavailable: the store or Locust failed.
        ExperimentInterrupted: a signal stopped the run; the switches have been restored.
    """
    windows = []
    with (
        TemporaryDirectory(prefix="shop-flip-") as home,
        restore_afterwards(store, folder, [options.switch, *options.held], say),
        show_progress(folder, START_S + options.load_s) as progress,
    ):
        for name, value in options.held.items():
            store.set_switch(name, value)
        store.set_switch(options.switch, options.values[0])
        record = Path(home) / "requests.jsonl"
        with _visitors(store.base_url, record, options) as process:
            _wait_first_request(process, record)
            for value in arm_order(options.values, options.rounds):
                progress.phase(f"{options.switch} = {value}")
                store.set_switch(options.switch, value)
                store.wait_applied()
                _let_run(process, options.settle_s)
                began = time.time()
                _let_run(process, options.seconds / options.rounds)
                windows.append(MeasuredWindow(value, began, time.time()))
                say(f"{options.switch} = {value:<12} measured for {windows[-1].ended - began:.1f} s")
        return compare_arms(options.switch, options.values, windows, read_requests(record))


@contextmanager
def _visitors(url: str, record: Path, options: ComparisonOptions) -> Iterator["subprocess.Popen[bytes]"]:
    """Run Locust in a process of its own during the block; at the end, requests in progress are awaited."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *options.visitors, "--headless", "--host", url]
    command += ["--users", str(options.users), "--spawn-rate", str(min(options.users, 100))]
    command += ["--think", str(options.think), "--record", str(record), "--only-summary"]
    command += ["--run-time", f"{START_LIMIT_S + options.load_s:.0f}s"]  # if this command is killed, Locust ends too
    with record.with_name("locust.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches this command, which then ends the visitors
        )
        try:
            yield process
            process.terminate()
            process.wait()
        finally:
            process.kill()
            process.wait()


def _wait_first_request(process: "subprocess.Popen[bytes]", record: Path) -> None:
    """Wait until the visitors have begun.

    Raises:
        ServiceUnavailable: they do not begin.
    """
    deadline = time.monotonic() + START_LIMIT_S
    while not record.exists() or not record.stat().st_size:
        if process.poll() is not None or time.monotonic() > deadline:
            log = record.with_name("locust.log").read_text(errors="replace").strip().splitlines()
            raise ServiceUnavailable(f"Locust's visitors did not begin: {log[-1] if log else process.returncode}")
        time.sleep(POLL_S)


def _let_run(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait so many seconds.

    Raises:
        ServiceUnavailable: Locust has ended meanwhile.
    """
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise ServiceUnavailable(f"Locust ended during the measurement, with exit code {process.returncode}.")


def _announcement(options: ComparisonOptions, url: str) -> str:
    lines = [
        f"{options.users} visitors on {url}, {options.seconds:g} s for each value in {options.rounds} pieces;"
        f" about {START_S + options.load_s:.0f} s in all."
    ]
    lines += [f"In both arms: {name} = {value}" for name, value in options.held.items()]
    return "\n".join(lines)


def _origin(size: Mapping[str, int]) -> str:
    machine = describe_machine()
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return (
        f"Measured on {day} with {size['products']:,} products; store, servers, Locust and other work\n"
        f"shared {machine['cpus']} cores ({machine['architecture']}, {machine['system'].split()[0]}, "
        f"Python {machine['python']}, Locust {version('locust')})."
    )


def _parse_options() -> tuple[ComparisonOptions, argparse.Namespace]:
    """Return the options of the comparison, and the whole command line; exit on a bad option."""
    parser = argparse.ArgumentParser(description="Flip a switch under Locust's visitors, and compare both values.")
    parser.add_argument("switch", help="as in `bin/shop switch list`")
    parser.add_argument("first", help="the value of the first column")
    parser.add_argument("second", help="the value of the second column")
    parser.add_argument("--users", type=int, default=20, help="number of visitors  [default: 20]")
    parser.add_argument("--seconds", type=float, default=12, help="measured seconds of each value  [default: 12]")
    parser.add_argument("--rounds", type=int, default=2, help="pieces of these seconds, in turn  [default: 2]")
    parser.add_argument("--settle", type=float, default=2, help="seconds after each flip, not measured  [default: 2]")
    parser.add_argument("--think", type=float, default=0.5, help="median seconds on a page  [default: 0.5]")
    parser.add_argument("--with", dest="held", action="append", default=[], metavar="NAME=VALUE", help="in both arms")
    parser.add_argument("--visitors", nargs="+", default=[], choices=("Browser", "Shopper", "Buyer"))
    parser.add_argument("--url", help="address of the store  [default: the running stack]")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--page", type=Path, help="put the table into this page, too")
    given = parser.parse_args()
    held = dict.fromkeys(IN_FRONT.get(given.switch, ()), "off")
    held |= {name: value for name, _, value in (text.partition("=") for text in given.held)}
    values = (given.first, given.second)
    try:
        for name, value in [(given.switch, value) for value in values] + list(held.items()):
            validate(name, value, allow_unsafe=True)
    except InvalidFields as error:
        parser.error(error.detail)
    if len(set(values)) == 1 or given.switch in held:
        parser.error("give two different values of the switch, and do not name it in --with")
    if min(given.users, given.rounds, given.seconds) <= 0 or min(given.settle, given.think) < 0:
        parser.error("--users, --rounds and --seconds are more than 0, and --settle and --think are not negative")
    options = ComparisonOptions(
        given.switch,
        values,
        given.users,
        given.seconds,
        given.rounds,
        given.settle,
        given.think,
        held,
        given.visitors,
    )
    return options, given


if __name__ == "__main__":
    sys.exit(main())
