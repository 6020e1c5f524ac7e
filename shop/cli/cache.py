"""``bin/shop cache``: statistics of the running stack's caches, inspection of an entry, and purge by tag."""

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
    """Show, inspect and purge the caches of the running stack."""


@cache.command()
@_json
def stats(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Print the look-ups of every layer since the start, summed over all processes."""
    settings = load_settings()
    metrics = ""
    for url in filter(None, (metrics_url(settings), edge_metrics_url(settings))):
        try:
            metrics += httpx.get(url, timeout=TIMEOUT_S).raise_for_status().text
        except httpx.HTTPError as error:
            raise ConfigurationError(f"No figures at {url} ({error}): start the stack with `bin/shop up`.") from None
    statistics = parse(metrics)
    document = asdict(statistics)
    for row, ttl_class in zip(document["classes"], statistics.classes, strict=True):
        row["hit_rate"] = ttl_class.hit_rate
    emit(document, _format_statistics(statistics), as_json=as_json)


@cache.command("inspect")
@click.argument("key")
@_json
def inspect_(key: str, as_json: bool) -> None:  # noqa: FBT001
    """Print the entry of the shared level under KEY, such as product:screen:<slug>, and whether it would be served."""
    with _shared_level() as level:
        entry = inspect(level, key, SystemClock().now().timestamp())
    emit(asdict(entry), _format_entry(entry), as_json=as_json)


@cache.command()
@click.argument("tag")
@_json
def purge(tag: str, as_json: bool) -> None:  # noqa: FBT001
    """Invalidate every entry with TAG, such as product:<slug>, in the shared level and in every process."""
    with _shared_level() as level:
        if not level.invalidate([tag]):
            raise CacheUnavailable(level.name)
    emit({"purged": tag}, f"Purged all entries with the tag {tag}.", as_json=as_json)


@contextmanager
def _shared_level() -> Iterator[SharedLevel]:
    settings = resolve(load_settings())
    if settings.cache_url is None:
        raise ConfigurationError("There is no cache: start the stack with `bin/shop up`, or set CACHE_URL.")
    level = SharedLevel(settings.cache_url, round(TIMEOUT_S * 1000), SystemClock())
    try:
        yield level
    except CacheUnavailable:
        reason = ""
        try:
            try_valkey(settings.cache_url, TIMEOUT_S)
        except CheckFailed as fault:
            reason = f": {fault}" + (f"; {fault.remedy}" if fault.remedy else "")
        raise ServiceUnavailable(f"The cache does not serve this{reason}.") from None
    finally:
        level.close()


def _format_statistics(statistics: CacheStatistics) -> str:
    lines = [f"{'layer':<12} {'class':<10} {'hit rate':>8}  outcomes"]
    for row in statistics.classes:
        rate = "" if row.hit_rate is None else f"{row.hit_rate:.1%}"
        outcomes = ", ".join(f"{name} {count:,}" for name, count in row.outcomes.items())
        lines.append(f"{row.layer:<12} {row.ttl_class:<10} {rate:>8}  {outcomes}")
    loads = sum(statistics.loads.values())
    mean_ms = statistics.load_s / loads * 1000 if loads else 0.0
    lines.append(
        f"loads: {loads:,}, {mean_ms:.1f} ms each ({_counts(statistics.loads)}); failed: {statistics.failed_loads:,}"
    )
    lines.append(f"waits for another's load: {_counts(statistics.waits)}")
    lines.append(f"local copies: {statistics.held_bytes:,} bytes; evicted: {statistics.evictions:,}")
    lines.append(f"put into the shared level: {statistics.stored_bytes:,} bytes; outages: {statistics.outages:,}")
    lines.append(f"anomalies: {_counts(statistics.anomalies)}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _format_entry(entry: EntryInspection) -> str:
    if entry.state in ("missing", "unreadable"):
        return f"{entry.key}: {entry.state}"
    lines = [
        f"{entry.key}: {entry.state}{', negative entry (not found)' if entry.negative else ''}",
        f"fresh for {entry.fresh_s:,.1f} s, kept for {entry.kept_s:,.1f} s",
        f"{entry.bytes:,} bytes, loaded in {entry.load_s * 1000:.1f} ms",
        f"tags: {', '.join(entry.tags) or 'none'}",
    ]
    if entry.ended_by:
        lines.append(f"invalidated by {', '.join(entry.ended_by)}")
    return "\n".join(lines)
