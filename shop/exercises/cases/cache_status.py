"""The case of the exercise ``cache-status``: one response of the store, and the layer that made it."""

import time
from dataclasses import dataclass

from shop.exercises.cases import ANSWER, CaseScene, StoreCase
from shop.exercises.cases.layer_entries import LAYERS, ORIGIN, answering_layer, read_entries
from shop.exercises.verdict import CannotJudge, FailureReport
from shop.lab.store_client import API

PRODUCT = "exercise-cache-status"
SCREEN = f"{API}/screens/product/{PRODUCT}"
NOBODY_BEFORE = "first"
"""The reason if the outermost layer answered: no layer was asked before it."""
LIMIT_S = 20.0
"""After a change of a switch, the edge forgets once a second for five seconds; a local copy lives for five."""
PAUSE_S = 0.25
TITLES = ("Exercise cache status", "Exercise cache status, edited")


@dataclass(frozen=True)
class LayerSituation:
    """One situation.

    Args:
        edge: value of ``cache.edge``.
        local: value of ``cache.local``.
        shared: value of ``cache.shared``.
        answer: layer and reason that the header then shows.
        after_edit: whether the response is the first one after an edit.
    """

    edge: str
    local: str
    shared: str
    answer: str
    after_edit: bool = False

    def switches(self) -> dict[str, str]:
        """Return the values of the switches."""
        layers = {"cache.edge": self.edge, "cache.local": self.local, "cache.shared": self.shared}
        return {**layers, "cache.invalidation": "event"}


SITUATIONS = (
    LayerSituation("on", "on", "on", "edge first"),
    LayerSituation("off", "on", "on", "local miss"),
    LayerSituation("off", "on", "on", "shared miss"),
    LayerSituation("off", "off", "on", "shared bypass"),
    LayerSituation("off", "on", "on", "origin stale", after_edit=True),
    LayerSituation("off", "off", "off", "origin bypass"),
)


def read_answer(cache_status: str) -> str:
    """Return the layer that answered, and the reason why the next layer outside it did not.

    Args:
        cache_status: the value of the header.
    """
    entries = read_entries(cache_status)
    layer = answering_layer(entries)
    asked_before = [one for one in LAYERS[: (*LAYERS, ORIGIN).index(layer)] if one in entries]
    return f"{layer} {entries[asked_before[-1]].forwarded if asked_before else NOBODY_BEFORE}"


def request_line(scene: CaseScene) -> str:
    """Request the screen until the store is in the situation, and return the header of that response.

    Args:
        scene: the running store, with the switches in force.

    Raises:
        CannotJudge: it does not get there.
    """
    store, situation, lines = scene.store, SITUATIONS[scene.variant], [""]
    store.sell_product(PRODUCT, TITLES[0], store.categories()[0])
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if situation.after_edit:
            store.cache_status(SCREEN)  # there must be an entry that the edit invalidates
            store.update_product(PRODUCT, title=TITLES[len(lines) % 2])
        lines.append(store.cache_status(SCREEN))
        if read_answer(lines[-1]) == situation.answer:
            return lines[-1]
        time.sleep(PAUSE_S)
    raise CannotJudge(
        f"In {LIMIT_S:g} s, no response was made as this exercise needs it; the last one says Cache-Status:"
        f" {lines[-1] or 'nothing'}. Is Valkey down, nginx not running, or the machine busy? See `bin/shop status`."
    )


def show_line(scene: CaseScene) -> str:
    """Return the request and the header of its response, for the reader."""
    line = request_line(scene)
    return f"GET {SCREEN}\nCache-Status: {line}"


def judge_reading(scene: CaseScene, answer: str) -> FailureReport | None:
    """Bring the situation about again, read the header, and compare the reading with the answer."""
    line = request_line(scene)
    right = read_answer(line)
    if answer == right:
        return None
    layer, reason = answer.split()
    did = f"The situation once more: GET {SCREEN} says Cache-Status: {line}."
    if layer != right.split()[0]:
        entries = read_entries(line)
        if layer == ORIGIN:
            expected, came = "no entry with `hit`: then the database answered.", "an entry with `hit`."
        else:
            expected = f"`hit` in the entry of shop-{layer}, and in none of a layer outside it."
            came = f"{entries[layer].text if layer in entries else f'no entry of shop-{layer}'}."
        return FailureReport(
            ANSWER, did, expected, came, "Entries are listed from the origin outwards: which says hit?"
        )
    expected = f"the layer is right. For the reason `{reason}`, {MEANING[reason]}"
    look = f"Find the entry of {layer}: the next layer outside it is the entry to its right. What does its `fwd` say?"
    return FailureReport(ANSWER, did, expected, "another entry there.", look)


MEANING = {
    NOBODY_BEFORE: "no layer outside it was asked: the last entry of the line is its own.",
    "miss": "the next layer outside it says fwd=miss: it had no entry.",
    "stale": "the next layer outside it says fwd=stale: its entry may not be used any more.",
    "bypass": "the next layer outside it says fwd=bypass: it was not asked for an entry at all.",
}
VARIANTS = tuple(situation.switches() for situation in SITUATIONS)
CASE = StoreCase(VARIANTS, lambda: (PRODUCT,), show_line, judge_reading, lasting=False)
