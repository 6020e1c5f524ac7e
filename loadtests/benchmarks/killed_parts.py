"""Each part of the store is killed under load: what readers get meanwhile, and how soon the store is whole again.

    .venv/bin/python loadtests/benchmarks/killed_parts.py [--only PART] [--rounds N]

The script starts a store of its own. Readers visit the 100 most popular products in an open loop: each read is due at
its time, whether or not others were answered. It is good if it was answered without error within a second of that time.
One part is really killed (SIGKILL, to every process of it), and kept down for some seconds; a web process and the edge
are only killed, and the supervisor restarts them. One guest a second checks out meanwhile, so each part is in use. The
edge would answer warm pages alone, whatever died behind it. So it stores nothing, or entries live for some seconds only
and must be loaded during the outage. After the return the store is whole when it is ready, sells again, and the mail of
each order of the outage has come; readers get fresh answers, too. Nothing is restarted by hand.

``slow-payments`` compares pages while the provider hangs with pages while it is well, with the same checkouts in both
arms, in turn, ``--rounds`` times.

Promises: see :data:`PARTS`; after an outage the store is whole within 5 s; 0.999 of the pages take at most 100 ms while
the provider hangs, and their 95th percentile is at most 1.5 of the normal one (medians). Exit code 1 if one is broken.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for chaos_run

from arms import interleaved, show
from chaos_run.own_stack import OwnStack
from outage_figures import quick_share
from part_killer import LEAST_READS, LIFETIME_S, LONGEST, WEB_PROCESSES, KilledPart, PartKiller

from shop.faults import NONE
from shop.lab.load import GeneratorProcess
from shop.lab.statistics import FigureSpread, percentile
from shop.lab.store_client import StoreClient

WHOLE_WITHIN_S = 5.0
SLOW_PAYMENTS = "slow-payments"
QUICK_PROMISE, SLOWER_PROMISE = 0.999, 1.5
PARTS: Mapping[str, KilledPart] = {
    "cache": KilledPart("cache", well=0.999, away_s=6.0, edge=True, expires=True),
    "broker": KilledPart("broker", well=0.999, away_s=6.0),
    "provider": KilledPart("payments", well=0.999, away_s=6.0),
    "mail": KilledPart("mail", well=0.999, away_s=6.0),
    "worker": KilledPart("worker", well=0.999, away_s=6.0),
    "web": KilledPart(program="web", well=0.99),
    # The edge may copy a page at the end of its life, and it then starts a new one.
    "database": KilledPart(
        "database", well=0.99, away_s=18.0, edge=True, expires=True, stale_after_s=2 * LIFETIME_S * LONGEST + 1
    ),
    "edge": KilledPart(program="edge", edge=True, back_within_s=2.0),
}


def main() -> int:
    """Kill each part, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", choices=[*PARTS, SLOW_PAYMENTS], metavar="PART")
    parser.add_argument("--rounds", type=int, default=5, help=f"of {SLOW_PAYMENTS}")
    given = parser.parse_args()
    names = given.only or [*PARTS, SLOW_PAYMENTS]
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-parts-", ignore_cleanup_errors=True)))
        home.chmod(0o755)  # if root runs this, PostgreSQL runs as another user
        own = stack.enter_context(OwnStack(home, WEB_PROCESSES, edge=True))
        client = stack.enter_context(closing(StoreClient(own.base_url)))
        killer = PartKiller(own, client, stack.enter_context(GeneratorProcess()))
        kept = [_judge_part(killer, name) for name in names if name in PARTS]
        if SLOW_PAYMENTS in names:
            kept.append(_judge_slow_payments(killer, given.rounds))
    return int(not all(kept))


def _judge_part(killer: PartKiller, name: str) -> bool:
    part = PARTS[name]
    figures, whole_s = killer.measure(part)
    promises = {
        f"at least {LEAST_READS:,} reads": figures.reads >= LEAST_READS,
        f"whole within {WHOLE_WITHIN_S:g} s": whole_s is not None and whole_s <= WHOLE_WITHIN_S,
        f"fresh within {WHOLE_WITHIN_S:g} s": figures.settled_s is not None and figures.settled_s <= WHOLE_WITHIN_S,
    }
    if part.well is not None:
        promises[f"good at least {part.well:.1%}"] = figures.well >= part.well
    if part.back_within_s is not None:
        promises[f"back within {part.back_within_s:g} s"] = (
            figures.back_s is not None and figures.back_s <= part.back_within_s
        )
    if part.stale_after_s is not None:
        promises["stale answers marked"] = figures.hidden == 0
    print(
        f"{name:<14}{figures.reads:>6} reads  {figures.well:>8.3%} good  {figures.marked:>6.1%} marked"
        f"  {figures.hidden:>4} hidden  back {_seconds(figures.back_s)}  fresh {_seconds(figures.settled_s)}"
        f"  whole {_seconds(whole_s)}"
    )
    return _print_promises(promises)


def _judge_slow_payments(killer: PartKiller, rounds: int) -> bool:
    killer.prepare(edge=False, expires=False)
    shares: dict[str, list[float]] = {}

    def measure(name: str, fault: str) -> float:
        samples = killer.read_while_paying(fault)
        shares.setdefault(name, []).append(quick_share(samples))
        return percentile(samples.latencies_ms, 95)

    arms = {"provider hangs": "hang", "provider well": NONE}
    ratio = show(
        f"{SLOW_PAYMENTS}: pages, p95, {rounds} rounds",
        "ms",
        interleaved({name: partial(measure, name, fault) for name, fault in arms.items()}, rounds),
    )
    medians = {}
    for name in arms:
        spread = FigureSpread.of(shares[name])
        if spread is not None:
            print(f"  {name:<34} {spread.median:>9.2%} within 100 ms   ({spread.low:.2%} to {spread.high:.2%})")
            medians[name] = spread.median
    return _print_promises(
        {
            f"within 100 ms at least {QUICK_PROMISE:.1%}": medians["provider hangs"] >= QUICK_PROMISE,
            f"p95 at most {SLOWER_PROMISE:g} of normal": ratio <= SLOWER_PROMISE,
        }
    )


def _print_promises(promises: Mapping[str, bool]) -> bool:
    print("  " + "; ".join(f"{'kept' if is_kept else 'BROKEN'}: {promise}" for promise, is_kept in promises.items()))
    return all(promises.values())


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
