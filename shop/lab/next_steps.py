"""What to do after a run, as sentences: it depends on the verdict and on the form of the run."""

from collections.abc import Iterator, Mapping
from typing import Any


def next_steps(result: Mapping[str, Any]) -> list[str]:
    """Return what to do after a run, the most urgent first.

    Args:
        result: the document of the run.
    """
    return list(_steps(result))


def _steps(result: Mapping[str, Any]) -> Iterator[str]:
    name, verdict = result["experiment"], result["verdict"]
    if verdict == "invalid":
        yield f"The run proves nothing: end other work on this machine, and repeat it: bin/shop lab run {name}"
    if verdict == "look":
        yield f"One run claims nothing. Repeat it in turn: bin/shop lab run {name}"
    if verdict == "refuted":
        yield f"See whether it repeats: bin/shop lab run {name}, then bin/shop lab compare with the folder of this run"
    if result.get("form") == "quick" and verdict not in ("invalid", "look"):
        yield f"Measure all arms, and for longer: bin/shop lab run {name}"
    if flip := _flip(result["arms"]):
        yield f"Flip it by hand under load: bin/shop lab load; in another terminal, bin/shop switch set {flip}"
    yield f"Change a number in loadtests/experiments/{name}.toml, predict the figure, and run it again"


def _flip(arms: list[Mapping[str, Any]]) -> str:
    """Return the first switch in which the last arm differs from the first, with the first arm's value."""
    first, last = (arms[0]["switches"], arms[-1]["switches"]) if arms else ({}, {})
    return next((f"{switch} {value}" for switch, value in first.items() if last.get(switch) != value), "")
