"""The parts of the page ``/lab`` beside the switches: settings that were changed, and where requests were answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shop.faults import NONE
from shop.lab_console.services import ChangedParameter
from shop.lab_console.switch_guide import SwitchOnPage
from shop.patterns.observability.answering_layer import LAYERS

LAYER_TITLES: Mapping[str, str] = {
    "browser": "Browser's copy",
    "edge": "Edge",
    "local": "Local memory",
    "shared": "Valkey",
    "database": "Database",
    "application": "Code alone",
}
"""Layers by their name in the metrics, as the page names them."""


@dataclass(frozen=True)
class LayerShare:
    """One part of the bar that shows where requests were answered.

    Args:
        name: of the layer.
        title: as the page names it.
        count: requests that it answered.
        start: where its part begins, in percent.
        width: in percent.
    """

    name: str
    title: str
    count: int
    start: float
    width: float


@dataclass(frozen=True)
class ChangedSetting:
    """A switch, a parameter or a fault that is not at its default.

    Args:
        kind: ``switches``, ``parameters`` or ``faults``, the part of the address that sets it.
        name: of the switch, of the parameter or of the dependency.
        value: its value.
        default: the value to go back to.
        unsafe: whether it breaks something on purpose.
    """

    kind: str
    name: str
    value: str
    default: str
    unsafe: bool


def share_layers(answers: Mapping[str, int]) -> list[LayerShare]:
    """Return the parts of the bar, from the shopper inwards; a layer without an answer has no width."""
    total = sum(answers.values())
    shares, start = [], 0.0
    for name in LAYERS:
        count = answers.get(name, 0)
        width = 100 * count / total if total else 0.0
        shares.append(LayerShare(name, LAYER_TITLES[name], count, start, width))
        start += width
    return shares


def changed_settings(
    chapters: Iterable[Sequence[SwitchOnPage]],
    parameters: Iterable[ChangedParameter],
    faults: Iterable[Mapping[str, Any]],
) -> list[ChangedSetting]:
    """Return the switches, then the parameters, then the faults that are not at their default."""
    switches = [
        ChangedSetting(
            "switches", switch.about["name"], switch.about["value"], switch.about["default"], switch.is_unsafe
        )
        for chapter in chapters
        for switch in chapter
        if switch.is_changed
    ]
    in_force = [
        ChangedSetting("faults", fault["name"], fault["value"], NONE, True)
        for fault in faults
        if fault["value"] != NONE
    ]
    values = [ChangedSetting("parameters", one.name, f"{one.value:g}", f"{one.default:g}", False) for one in parameters]
    return switches + values + in_force


def stamp(state: Mapping[str, Any]) -> str:
    """Return a text that changes with switches, parameters, faults and what the lab runs: open pages then follow.

    Args:
        state: as the live figures contain it.
    """
    faults = ",".join(f"{name}={value}" for name, value in sorted(state.get("faults", {}).items()))
    return f"{state.get('switches', '')} {faults} {state.get('order', '')}"
