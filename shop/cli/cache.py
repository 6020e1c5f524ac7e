"""``shop cache``: what the caches of the running stack hold and answer, and how to end what is old."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
import httpx

from shop.cli.output import emit
from shop.clock import SystemClock
from shop.errors import ConfigurationError, ServiceUnavailable
from shop.patterns.caching import SharedLevel
from shop.patterns.caching.inspection import EntryInspection, inspect
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.health.valkey_server import try_valkey
from shop.patterns.observability.cache_statistics import CacheStatistics, parse
from shop.settings import load_settings
from shop.stack.endpoints import edge_metrics_url, metrics_url, resolve

TIMEOUT_S = 5.0
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def cache() -> None:
    """Show what the caches of the running stack hold and answer; end what is old."""


@cache.command()
@_json
def stats(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Print what every layer answered since the start, summed over all processes."""
    settings = load_settings()
    urls = (metrics_url(settings), edge_metrics_url(settings))
    figures = parse("".join(_metrics(url) for url in urls if url))
    document = asdict(figures)
    for row, found in zip(document["classes"], figures.classes, strict=True):
        row["hit_rate"] = found.hit_rate
    emit(document, _told(figures), as_json=as_json)


@cache.command("inspect")
@click.argument("key")
@_json
def inspect_(key: str, as_json: bool) -> None:  # noqa: FBT001
    """Print what the shared level holds under KEY, such as product:screen:<slug>, and whether it would be served."""
    with _level() as level:
        found = inspect(level, key, SystemClock().now().timestamp())
    emit(asdict(found), _told_entry(found), as_json=as_json)


@cache.command()
@click.argument("tag")
@_json
def purge(tag: str, as_json: bool) -> None:  # noqa: FBT001
    """End every entry that carries TAG, such as product:<slug>, in the shared level and in every process."""
    with _level() as level:
        if not level.invalidate([tag]):
            raise CacheUnavailable(level.name)
    emit({"purged": tag}, f"Whatever was made from {tag} has ended.", as_json=as_json)


def _metrics(url: str) -> str:
    try:
        return httpx.get(url, timeout=TIMEOUT_S).raise_for_status().text
    except httpx.HTTPError as error:
        raise ConfigurationError(f"No figures at {url} ({error}): start the stack with `shop up`.") from None


@contextmanager
def _level() -> Iterator[SharedLevel]:
    settings = resolve(load_settings())
    if settings.cache_url is None:
        raise ConfigurationError("There is no cache: start the stack with `shop up`, or set CACHE_URL.")
    level = SharedLevel(settings.cache_url, round(TIMEOUT_S * 1000), SystemClock())
    try:
        yield level
    except CacheUnavailable:
        raise ServiceUnavailable(f"The cache does not serve this{_why(settings.cache_url)}.") from None
    finally:
        level.close()


def _why(url: str) -> str:
    """Return what is wrong with the cache, as it ends a sentence; empty where a trial finds nothing."""
    try:
        try_valkey(url, TIMEOUT_S)
    except CheckFailed as fault:
        return f": {fault}" + (f"; {fault.remedy}" if fault.remedy else "")
    return ""


def _told(figures: CacheStatistics) -> str:
    lines = [f"{'layer':<12} {'class':<10} {'hit rate':>8}  outcomes"]
    for row in figures.classes:
        rate = "" if row.hit_rate is None else f"{row.hit_rate:.1%}"
        outcomes = ", ".join(f"{name} {count:,}" for name, count in row.outcomes.items())
        lines.append(f"{row.layer:<12} {row.ttl_class:<10} {rate:>8}  {outcomes}")
    loads = sum(figures.loads.values())
    mean_ms = figures.load_s / loads * 1000 if loads else 0.0
    lines.append(
        f"loads: {loads:,}, {mean_ms:.1f} ms each ({_counts(figures.loads)}); failed: {figures.failed_loads:,}"
    )
    lines.append(f"waits for another's load: {_counts(figures.waits)}")
    lines.append(f"local copies: {figures.held_bytes:,} bytes; evicted: {figures.evictions:,}")
    lines.append(f"put into the shared level: {figures.stored_bytes:,} bytes; outages: {figures.outages:,}")
    lines.append(f"anomalies: {_counts(figures.anomalies)}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _told_entry(found: EntryInspection) -> str:
    if found.state in ("missing", "unreadable"):
        return f"{found.key}: {found.state}"
    lines = [
        f"{found.key}: {found.state}{', says that there is no such thing' if found.negative else ''}",
        f"fresh for {found.fresh_s:,.1f} s, kept for {found.kept_s:,.1f} s",
        f"{found.bytes:,} bytes, loaded in {found.load_s * 1000:.1f} ms",
        f"made from {', '.join(found.tags) or 'nothing that is invalidated'}",
    ]
    if found.ended_by:
        lines.append(f"ended by {', '.join(found.ended_by)}")
    return "\n".join(lines)
