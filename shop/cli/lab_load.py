"""``bin/shop lab load`` and ``bin/shop lab demo``: a visible load, and one flip under load."""

import sys
from contextlib import closing

import click

from shop.cli import SIGNAL_EXIT
from shop.cli.output import emit
from shop.lab.demo import SWITCH, TOTAL_S, DemoArm, run_demo
from shop.lab.lab_lock import claim_lab
from shop.lab.load_stream import (
    DEFAULT_RATE,
    DEFAULT_SECONDS,
    SHOPPERS,
    SOURCE_NAMES,
    LoadSecond,
    merge_seconds,
    shopping_load,
    stream_load,
)
from shop.lab.progress_file import show_progress
from shop.lab.saved_state import ExperimentInterrupted, interruptible
from shop.lab.store_client import StoreClient
from shop.lab_orders import MOST_RATE, MOST_SECONDS
from shop.settings import load_settings
from shop.stack.endpoints import web_url

LAYERS = {source: name for source, name in SOURCE_NAMES.items() if source != "browser"}
"""The columns of the sources: these shoppers have no browser cache."""
HEAD = f"{'s':>4} {'answered/s':>10} {'p50 ms':>8} {'p95 ms':>8} {'failed':>6}   " + " ".join(
    f"{name:>8}" for name in LAYERS.values()
)
BAR_WIDTH = 40
CAUTION = "One flip claims nothing. To judge: bin/shop lab run cache-aside --quick"


@click.command()
@click.option("--rate", type=click.IntRange(1, MOST_RATE), default=DEFAULT_RATE, show_default=True, help="Visits/s.")
@click.option(
    "--seconds", type=click.IntRange(1, MOST_SECONDS), default=DEFAULT_SECONDS, show_default=True, help="How long."
)
@click.option("--url", help="Address of the store.  [default: the running stack]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end and nothing else.")
def load(rate: int, seconds: int, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Offer a visible load while you flip switches by hand.

    Shoppers look around at a steady rate that does not wait for answers. One line a second shows what they see.
    Ctrl-C ends it. No experiment and no check can run meanwhile.
    """
    settings = load_settings()
    passed: list[LoadSecond] = []
    with closing(StoreClient(url or web_url(settings))) as store:
        store.check_ready()
        phase = shopping_load(store, rate, seconds, SHOPPERS)
        try:
            folder = settings.var_dir / "lab"
            with (
                claim_lab(folder),
                interruptible(),
                show_progress(folder, seconds) as file,
                stream_load(phase) as stream,
            ):
                _say(f"{rate} visits/s on {store.base_url} for {seconds} s. Ctrl-C ends it.\n{HEAD}", quiet=as_json)
                for second in stream:
                    passed.append(second)
                    file.phase(describe(second))
                    _say(load_line(second), quiet=as_json)
        except ExperimentInterrupted:
            click.echo("", err=True)
    whole = merge_seconds(passed)
    errors = [f"{count} × {kind}" for kind, count in whole.errors.items()]
    text = f"{'all':>4} {load_line(whole)[5:]}" + (f"\nFailed: {', '.join(errors)}" if errors else "")
    emit(_figures(whole), text, as_json=as_json)


@click.command()
@click.option("--url", help="Address of the store.  [default: the running stack]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document at the end and nothing else.")
def demo(url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Flip the shared cache under load and draw what changes, in less than half a minute.

    The switches have their earlier values afterwards, also after Ctrl-C and after kill -9.
    """
    settings = load_settings()

    def show(second: LoadSecond, label: str) -> None:
        _say(f"{_figure(second.latency_ms(50)):>9} ms  {label}", quiet=as_json)

    with closing(StoreClient(url or web_url(settings))) as store:
        store.check_ready()
        _say(f"Takes {TOTAL_S + 3} s. The median wait for a product screen, each second:", quiet=as_json)
        try:
            arms = run_demo(store, settings.var_dir / "lab", show)
        except ExperimentInterrupted as stop:
            click.echo("shop: interrupted; all switches have their earlier values.", err=True)
            sys.exit(SIGNAL_EXIT + stop.number)
    emit({SWITCH: {arm.value: _figures(arm.seen) for arm in arms}}, draw_demo(arms), as_json=as_json)


def load_line(second: LoadSecond) -> str:
    """Return one second of a load as a line of at most 80 columns."""
    p50, p95 = (_figure(second.latency_ms(percent)) for percent in (50, 95))
    answered = sum(second.answered_by.values())
    shares = [f"{count / answered:.0%}" if (count := second.answered_by.get(source)) else "" for source in LAYERS]
    columns = " ".join(f"{share:>8}" for share in shares)
    return f"{second.second:>4} {second.rate:>10.1f} {p50:>8} {p95:>8} {second.failed or '':>6}   {columns}".rstrip()


def describe(second: LoadSecond) -> str:
    """Return one second of a load as a sentence, for the lab's page."""
    p50, p95 = (_figure(second.latency_ms(percent)) for percent in (50, 95))
    answered = ", ".join(f"{name} {second.answered_by.get(source, 0)}" for source, name in LAYERS.items())
    return f"{second.rate:.0f} answered/s, p50 {p50} ms, p95 {p95} ms, {second.failed} failed; {answered}"


def draw_demo(arms: list[DemoArm]) -> str:
    """Return two bars, one for each value of the switch, and what they say."""
    medians = [arm.seen.latency_ms(50) for arm in arms]
    longest = max(filter(None, medians), default=0.0) or 1.0
    bars = [
        f"{SWITCH} = {arm.value:<4}{'█' * max(1, round((median or 0) / longest * BAR_WIDTH)):<{BAR_WIDTH}}"
        f" {_figure(median)} ms"
        for arm, median in zip(arms, medians, strict=True)
    ]
    failed = sum(arm.seen.failed for arm in arms)
    return "\n".join(
        [
            "",
            "Median wait for a product screen",
            *bars,
            "",
            _change(*medians),
            *([f"{failed} visits failed."] if failed else []),
            CAUTION,
        ]
    )


def _change(before: float | None, after: float | None) -> str:
    if not before or not after:
        return "An arm had no answer: see `bin/shop status`."
    if after > before:
        return f"{after / before:.1f} times slower with the cache: is the machine busy? Run it again."
    return f"{before / after:.1f} times quicker with the cache."


def _figures(seen: LoadSecond) -> dict[str, object]:
    return {
        "seconds": seen.second,
        "rate": round(seen.rate, 1),
        "p50_ms": seen.latency_ms(50),
        "p95_ms": seen.latency_ms(95),
        "visits": len(seen.latencies_ms),
        "failed": seen.failed,
        "errors": seen.errors,
        "answered_by": {SOURCE_NAMES[source]: count for source, count in seen.answered_by.items()},
    }


def _figure(value: float | None) -> str:
    """Return a figure; what was not measured is blank."""
    return "" if value is None else f"{value:.1f}"


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(text)
