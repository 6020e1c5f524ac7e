"""The table that ``loadtests/chaos.py`` prints."""

from collections.abc import Mapping
from typing import Any

SHOWN = 20
"""Most faults with a description; all faults are counted."""


def table(report: Mapping[str, Any]) -> str:
    """Return the report as one table, followed by the descriptions of faults."""
    checkouts = sum(report["ends"].values())
    rows = {
        "checkouts": f"{checkouts:,} by {report['asked']['clients']} clients: {_counts(report['ends'])}",
        "requests": f"{report['requests']:,} in {report['seconds']:,} s; {report['checkouts_per_second']} checkouts/s",
        "cancelled by clients": f"{report['cancelled']:,}",
        "retried after the run": f"{report['asked_again_afterwards']:,}",
        "kills": f"{sum(report['kills'].values()):,}: {_counts(report['kills'])}",
        "settled after": f"{report['settled_after_s']} s",
        **{kind: f"{count:,}" for kind, count in report["faults"].items()},
        "mismatches in the books": f"{len(report['books']):,}",
    }
    if report["not_begun"]:
        rows["not begun in time"] = f"{report['not_begun']:,}"
    lines = [f"{name:<26}{value}" for name, value in rows.items()]
    return "\n".join(lines + [f"  {text}" for text in (*report["named"], *report["books"][:SHOWN])])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
