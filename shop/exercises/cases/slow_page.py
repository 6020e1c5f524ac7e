"""The case of the exercise ``slow-page``: one of four caches is switched off."""

import re
import time
from collections.abc import Mapping

import httpx

from shop.exercises.cases import ANSWER, CaseScene, StoreCase
from shop.exercises.cases.layer_entries import LAYERS, read_entries
from shop.exercises.verdict import CannotJudge, FailureReport
from shop.lab.store_client import API, StoreClient

SWITCHES = ("cache.browser", "cache.edge", "cache.local", "cache.shared")
PRODUCT = "exercise-slow-page"
SCREEN = f"{API}/screens/product/{PRODUCT}"
EDGE_FORGETS_S = 6.0
"""After a change of a switch, the edge deletes once a second what it has just stored, for five seconds."""
REQUEST = f"GET {SCREEN}, just after a change of the product"
NO_LAYER_OFF = "no cache is switched off"


def set_up_page(scene: CaseScene) -> str:
    """Wait until the edge keeps what it stores, then sell the product of the exercise."""
    time.sleep(EDGE_FORGETS_S)
    _change_product(scene.store)
    return f"The page to investigate: {scene.store.base_url}{SCREEN}"


def judge_switch(scene: CaseScene, answer: str) -> FailureReport | None:
    """Find the layer that is off, from the headers of one response, and compare it with the answer."""
    _change_product(scene.store)
    signs = read_signs(scene.store.fetch(SCREEN))
    off = [switch for switch, (is_off, _) in signs.items() if is_off]
    flipped = [switch for switch, value in VARIANTS[scene.variant].items() if value == "off"]
    if off != flipped:
        raise CannotJudge(
            "The store is no longer as `start` left it: its headers show that"
            f" {', '.join(off) or NO_LAYER_OFF}{' is off' if off else ''}. Was a switch set, or Valkey down, or nginx"
            " not running?"
        )
    if answer in off:
        return None
    return FailureReport(ANSWER, f"{REQUEST}.", EXPECTED[answer], signs[answer][1], LOOK)


def read_signs(response: httpx.Response) -> Mapping[str, tuple[bool, str]]:
    """Return for each switch whether the headers show that it is off, and the part of the headers that shows it.

    Args:
        response: the first one after a change, which every layer forwarded.
    """
    headers = response.headers
    entries = read_entries(headers.get("Cache-Status", ""))
    shown = {layer: entries[layer].text if layer in entries else f"no entry of shop-{layer}." for layer in LAYERS}
    edge = entries.get("edge")
    off = {f"cache.{layer}": layer in entries and entries[layer].forwarded == "bypass" for layer in ("local", "shared")}
    off["cache.edge"] = edge is not None and not (edge.is_hit or edge.is_stored)
    control = headers.get("Cache-Control", "")
    off["cache.browser"] = re.search(r"\bno-store\b", control) is not None
    shown["browser"] = f"Cache-Control: {control}; ETag: {headers.get('ETag', 'missing')}"
    return {switch: (off[switch], shown[switch.partition(".")[2]]) for switch in SWITCHES}


def _change_product(store: StoreClient) -> None:
    """Sell the product, or sell it again: the next request for it passes every layer."""
    store.sell_product(PRODUCT, "Exercise slow page", store.categories()[0])


EXPECTED = {
    "cache.browser": "with cache.browser off: `Cache-Control: no-store`, and no ETag.",
    "cache.edge": "with cache.edge off: an entry of `shop-edge` without `stored`.",
    "cache.local": "with cache.local off: `shop-local; fwd=bypass`.",
    "cache.shared": "with cache.shared off: `shop-shared; fwd=bypass`.",
}
LOOK = "Purge, ask once, and read each entry: which layer will not be able to answer the next request?"
VARIANTS = tuple({switch: "off" if switch == off else "on" for switch in SWITCHES} for off in SWITCHES)


CASE = StoreCase(VARIANTS, lambda: (PRODUCT,), set_up_page, judge_switch, lasting=True)
