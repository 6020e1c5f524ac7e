"""The case of the exercise ``stale-price``: some of four layers still answer with the price before an edit."""

import re
import time
from dataclasses import dataclass

import httpx

from shop.exercises.cases import ANSWER, CaseScene, StoreCase
from shop.exercises.cases.layer_entries import LAYERS, ORIGIN, answering_layer, read_entries
from shop.exercises.verdict import CannotJudge, FailureReport
from shop.lab.store_client import API
from shop.money import CURRENCY

OLD, NEW = 1000, 1200
"""Prices in minor units."""
ANSWERS = ("edge local shared", "edge", "edge shared", "local shared", "shared")
"""The layers with the old price, for each variant: those that are on when the price is edited."""
SLOT_S, SLOTS = 10, 360
"""Each start sells another product: entries that only time invalidates would still be there from an earlier start."""
EDGE_FORGETS_S = 6.0
"""After a change of a switch, the edge deletes once a second what it has just stored, for five seconds."""
LOOK_S = 7.0
"""Longer than a local copy lives, so that Valkey is asked, too."""
PAUSE_S = 0.2
WARM_REQUESTS = 12
"""So that each web process has a copy."""
PAST_THE_EDGE = {"Authorization": "Bearer past-the-edge"}
"""The edge forwards such a request, and neither stores nor uses an answer for it."""


@dataclass(frozen=True)
class PriceAnswer:
    """One response with a price: the layer that answered, the price, and the headers."""

    layer: str
    amount: int
    headers: httpx.Headers

    def __str__(self) -> str:
        """Return it as a sentence for the reader."""
        return f"Cache-Status: {self.headers.get('Cache-Status', 'missing')}, price {self.amount / 100:.2f}."


def draw_product() -> tuple[str, ...]:
    """Return the slug of a product that was not used within the last hour."""
    return (f"exercise-stale-price-{int(time.time() / SLOT_S) % SLOTS:03d}",)


def edit_price(scene: CaseScene) -> str:
    """Sell a product, let every layer store it, then edit its price."""
    store, (slug,) = scene.store, scene.products
    time.sleep(EDGE_FORGETS_S)
    store.sell_product(slug, "Exercise stale price", store.categories()[0])
    store.update_product(slug, price={"amount": OLD, "currency": CURRENCY})
    for headers in (PAST_THE_EDGE, {}):
        for _ in range(WARM_REQUESTS):
            answer = _ask(scene, headers)
            if answer.amount != OLD:
                raise CannotJudge(f"A new product has an old entry: {answer}")
    store.update_product(slug, price={"amount": NEW, "currency": CURRENCY})
    answers = _look(scene)
    if _stale_layers(answers) != ANSWERS[scene.variant]:
        raise CannotJudge(f"The layers with the old price are {_stale_layers(answers) or 'none'}. Is the machine busy?")
    return (
        f"Your product: PRODUCT={slug}\nAn editor has changed its price from {OLD / 100:.2f} to {NEW / 100:.2f}, and"
        " shoppers still see the old one. The old copies expire in about five minutes; another start makes new ones."
    )


def judge_layers(scene: CaseScene, answer: str) -> FailureReport | None:
    """Ask through the edge and past it, and compare the layers that answer with the old price."""
    answers = _look(scene)
    stale = _stale_layers(answers)
    if not stale:
        raise CannotJudge("Every layer has the new price by now: the old one has expired, or was purged.")
    if stale != ANSWERS[scene.variant]:
        raise CannotJudge("The layers are no longer as `start` left them: the old price has expired in one of them.")
    if answer == stale:
        return None
    did = f"GET {API}/products/{scene.products[0]} for {LOOK_S:g} s, in turn through the edge and past it."
    named = answer.split()
    if "browser" in named:
        came = f"Cache-Control: {answers[0].headers.get('Cache-Control', 'missing')}."
        look = (
            "Does a browser with this header show its copy without asking? Ask with If-None-Match, as a browser does."
        )
        return FailureReport(ANSWER, did, "a browser may use its own copy for a while.", came, look)
    for layer in named:
        if layer not in stale.split():
            expected = f"a hit of shop-{layer} with the price {OLD / 100:.2f}."
            return FailureReport(ANSWER, did, expected, f"no such hit; for example {_example(answers, layer)}", LOOK)
    missing = next(layer for layer in stale.split() if layer not in named)
    came = str(next(one for one in answers if one.layer == missing and one.amount == OLD))
    return FailureReport(ANSWER, did, f"the old price only from {', '.join(named)}.", came, LOOK)


LOOK = (
    "One request shows one layer. Ask past the edge several times, over more than five seconds, and read each header."
)


def _ask(scene: CaseScene, headers: dict[str, str]) -> PriceAnswer:
    response = scene.store.fetch(f"{API}/products/{scene.products[0]}", headers)
    layer = answering_layer(read_entries(response.headers.get("Cache-Status", "")))
    return PriceAnswer(layer, int(response.json()["price"]["amount"]), response.headers)


def _look(scene: CaseScene) -> list[PriceAnswer]:
    deadline, answers = time.monotonic() + LOOK_S, list[PriceAnswer]()
    while time.monotonic() < deadline:
        answers += [_ask(scene, {}), _ask(scene, PAST_THE_EDGE)]
        time.sleep(PAUSE_S)
    return answers


def _stale_layers(answers: list[PriceAnswer]) -> str:
    stale = {answer.layer for answer in answers if answer.amount == OLD} - {ORIGIN}
    return " ".join(layer for layer in LAYERS if layer in stale)


def _example(answers: list[PriceAnswer], layer: str) -> str:
    mentioned = (one for one in answers if re.search(rf"shop-{layer}\b", one.headers.get("Cache-Status", "")))
    return str(next(mentioned, answers[-1]))


def _switches(stale: str) -> dict[str, str]:
    layers = {f"cache.{layer}": "on" if layer in stale.split() else "off" for layer in LAYERS}
    return {**layers, "cache.browser": "on", "cache.invalidation": "ttl"}


CASE = StoreCase(tuple(map(_switches, ANSWERS)), draw_product, edit_price, judge_layers, lasting=True, check_seconds=8)
