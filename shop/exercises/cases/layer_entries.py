"""Reads a ``Cache-Status`` header of the store, entry by entry (RFC 9211). Pure.

Entries are listed from the origin outwards: the last one is that of the layer nearest to the client.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LAYERS = ("edge", "local", "shared")
"""From the client to the origin."""
ORIGIN = "origin"
_ENTRY = re.compile(r"^shop-(?P<layer>\w+)(?P<parameters>(?:;[^;]*)*)$")


@dataclass(frozen=True)
class LayerEntry:
    """The entry of one layer.

    Args:
        text: the whole entry.
        is_hit: whether the layer answered.
        forwarded: why it asked the next layer: ``miss``, ``stale`` or ``bypass``; empty if it did not.
        is_stored: whether it stored the response.
    """

    text: str
    is_hit: bool
    forwarded: str
    is_stored: bool


def read_entries(cache_status: str) -> dict[str, LayerEntry]:
    """Return the last entry of each layer.

    Args:
        cache_status: the value of the header.
    """
    entries: dict[str, LayerEntry] = {}
    for text in filter(None, (part.strip() for part in cache_status.split(","))):
        if match := _ENTRY.match(text):
            parameters = [parameter.strip() for parameter in match["parameters"].split(";")]
            forwarded = next((one.removeprefix("fwd=") for one in parameters if one.startswith("fwd=")), "")
            entries[match["layer"]] = LayerEntry(text, "hit" in parameters, forwarded, "stored" in parameters)
    return entries


def answering_layer(entries: Mapping[str, LayerEntry]) -> str:
    """Return the layer that answered: the outermost one with a hit, else the origin.

    Args:
        entries: by layer.
    """
    return next((layer for layer in LAYERS if layer in entries and entries[layer].is_hit), ORIGIN)
