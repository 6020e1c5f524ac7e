"""What ``loadtests/chaos.py`` prints for people."""

from collections.abc import Mapping
from typing import Any

SHOWN = 20
"""Faults named at most; all are counted."""


def table(report: Mapping[str, Any]) -> str:
    """Return the report as one table, and below it what was named."""
    done = sum(report["ends"].values())
    rows = {
        "check-outs": f"{done:,} by {report['asked']['clients']} clients: {_counted(report['ends'])}",
        "requests": f"{report['requests']:,} in {report['seconds']:,} s; {report['checkouts_per_second']} check-outs/s",
        "cancelled by clients": f"{report['cancelled']:,}",
        "asked once more": f"{report['asked_again_afterwards']:,}, when all was over",
        "kills": f"{sum(report['kills'].values()):,}: {_counted(report['kills'])}",
        "settled after": f"{report['settled_after_s']} s",
        **{kind: f"{count:,}" for kind, count in report["faults"].items()},
        "mismatches in the books": f"{len(report['books']):,}",
    }
    if report["not_begun"]:
        rows["not begun in time"] = f"{report['not_begun']:,}"
    lines = [f"{name:<26}{says}" for name, says in rows.items()]
    return "\n".join(lines + [f"  {says}" for says in (*report["named"], *report["books"][:SHOWN])])


def _counted(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(found.items())) or "none"
