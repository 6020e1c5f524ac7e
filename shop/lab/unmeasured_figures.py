"""Blanks the figures of a stored result that were not measured.

Problem: an earlier release stored 0 where a driver has no load generator of its own, or where no browser was
simulated. A reader takes such a 0 for a measurement.
Method: the result itself tells which zeros are none: a generator that offers load uses some time of the processor.
Every result is read through this module, so that page, terminal, report and picture show old runs like new ones.
"""

from collections.abc import Iterator
from typing import Any

GENERATOR_CPU = "generator_cpu"
OF_A_GENERATOR = (GENERATOR_CPU, "generator_lag_p95_ms", "db_queries_per_request", "db_queries_per_visit")
"""Figures that only a load generator measures."""
OF_A_BROWSER = "share_browser"


def blank_unmeasured(result: dict[str, Any]) -> dict[str, Any]:
    """Set the figures that were not measured to ``None``, and return the result.

    Args:
        result: the document; it is changed.
    """
    for arm in result["arms"]:
        for name in list(_unmeasured(arm)):
            _blank(arm, name)
    return result


def _unmeasured(arm: dict[str, Any]) -> Iterator[str]:
    measures = arm.get("measures", {})
    if measures.get(GENERATOR_CPU) == 0:
        yield from OF_A_GENERATOR
    if measures.get(OF_A_BROWSER) == 0 and not arm.get("browsers"):
        yield OF_A_BROWSER


def _blank(arm: dict[str, Any], name: str) -> None:
    section = arm if name in arm else arm["measures"]
    section[name] = None
    arm.get("spread", {}).pop(name, None)
    for run in arm.get("per_run", ()):
        run[name] = None
