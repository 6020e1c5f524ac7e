"""Orders of the lab's page: real processes, started and interrupted by the supervisor's part."""

import sys
import threading
from contextlib import contextmanager

import pytest

from shop.errors import InvalidFields, ServiceUnavailable, StateConflict
from shop.lab_orders import LabOrder, LabOrderChannel, load_order, run_order
from shop.stack.lab_commands import LabCommandRunner
from tests.support.polling import until

PATIENCE_S = 20
COMMAND = """
import sys, signal
print("running", flush=True)
if sys.argv[1] == "load":
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("restored", file=sys.stderr)
        sys.exit(130)
print("shop: no store answers", file=sys.stderr)
sys.exit(2)
"""


@pytest.fixture
def channel(tmp_path):
    """A channel whose supervisor runs a small command instead of ``bin/shop lab``."""
    channel = LabOrderChannel(tmp_path)
    with supervised(LabCommandRunner(channel, tmp_path / "lab.log", {}, argv=(sys.executable, "-c", COMMAND))):
        yield channel


@contextmanager
def supervised(runner):
    """Handle orders in a thread, as the supervisor's loop does."""
    stopped = threading.Event()

    def follow():
        while not stopped.wait(0.01):
            runner.run_once()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        runner.end()


def has_printed(tmp_path):
    return "running" in (tmp_path / "lab.log").read_text()


def test_the_quick_form_is_ordered_by_its_option():
    assert run_order("cache-aside", quick=True).words == ("run", "cache-aside", "--quick")


def test_an_order_runs_and_its_end_is_reported(channel):
    begun = channel.send(run_order("cache-aside", quick=False))
    assert (begun.state, begun.command) == ("running", "bin/shop lab run cache-aside")
    until(lambda: channel.report().state == "ended", PATIENCE_S)
    ended = channel.report()
    assert (ended.exit_code, ended.last_line) == (2, "no store answers")


def test_second_order_is_refused_and_an_abort_ends_the_first(channel, tmp_path):
    channel.send(load_order("20", "60"))
    with pytest.raises(StateConflict, match="`bin/shop lab load --rate 20 --seconds 60` is running"):
        channel.send(run_order("cache-aside", quick=False))
    until(lambda: has_printed(tmp_path), PATIENCE_S)
    channel.send(LabOrder("abort"))
    until(lambda: channel.report().state == "ended", PATIENCE_S)
    assert (channel.report().exit_code, channel.report().last_line) == (130, "restored")
    with pytest.raises(StateConflict, match="No ordered command"):
        channel.send(LabOrder("abort"))


def test_end_of_the_stack_interrupts_the_command(tmp_path):
    channel, runner = LabOrderChannel(tmp_path), None
    runner = LabCommandRunner(channel, tmp_path / "lab.log", {}, argv=(sys.executable, "-c", COMMAND))
    with supervised(runner):
        channel.send(load_order("20", "60"))
        until(lambda: has_printed(tmp_path), PATIENCE_S)
    assert (tmp_path / "lab.log").read_text().endswith("restored\n")
    assert channel.report().state == "idle"


def test_without_a_supervisor_an_order_is_not_accepted(tmp_path):
    with pytest.raises(ServiceUnavailable, match="bin/shop up"):
        LabOrderChannel(tmp_path / "none").send(LabOrder("abort"))


@pytest.mark.parametrize("order", [lambda: run_order("--url", quick=False), lambda: load_order("0", "5")])
def test_words_that_are_no_experiment_or_no_number_are_refused(order):
    with pytest.raises(InvalidFields):
        order()
