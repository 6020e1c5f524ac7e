"""Find exercises, without a store: the words of an answer, and the reading of headers."""

from itertools import pairwise

import httpx
import pytest

from shop.errors import ConfigurationError
from shop.exercises.cases import load_case, slow_page, stale_price
from shop.exercises.cases.cache_status import SITUATIONS, read_answer
from shop.exercises.cases.layer_entries import answering_layer, read_entries
from shop.exercises.cases.slow_page import EXPECTED, SWITCHES, read_signs
from shop.exercises.cases.stale_price import ANSWERS
from shop.exercises.definition import EXERCISES, load_definition, load_definitions
from shop.exercises.finding import count_variants, draw_variant, parse_answer
from shop.exercises.hints import HintList
from shop.exercises.progress import ExerciseProgress
from shop.switches.registry import SWITCHES as REGISTRY

FIND = [one for one in load_definitions().values() if one.kind == "find"]
SLOW_PAGE, CACHE_STATUS, STALE_PRICE = (
    load_definition(EXERCISES / name) for name in ("02-slow-page", "05-cache-status", "06-stale-price")
)
LINES = {
    "edge first": "shop-edge; hit; ttl=298",
    "local miss": "shop-local; hit; ttl=4, shop-edge; fwd=miss",
    "shared miss": "shop-shared; hit; ttl=280, shop-local; fwd=miss; stored, shop-edge; fwd=miss",
    "shared bypass": "shop-shared; hit; ttl=280, shop-local; fwd=bypass, shop-edge; fwd=miss",
    "origin stale": "shop-shared; fwd=stale; stored, shop-local; fwd=miss; stored, shop-edge; fwd=miss",
    "origin bypass": "shop-shared; fwd=bypass, shop-local; fwd=bypass, shop-edge; fwd=miss",
}
HEALTHY = "shop-shared; fwd=stale; stored, shop-local; fwd=miss; stored, shop-edge; fwd=miss; stored"


@pytest.mark.parametrize("exercise", FIND, ids=lambda one: one.name)
def test_each_variant_sets_the_same_valid_switches(exercise):
    variants = load_case(exercise.find).variants
    assert len({frozenset(variant) for variant in variants}) == 1
    assert len(variants) == len({tuple(variant.items()) for variant in variants}) or exercise == CACHE_STATUS
    for variant in variants:
        assert all(value in REGISTRY[name].values for name, value in variant.items())
    assert draw_variant(exercise.find) in range(len(variants))


@pytest.mark.parametrize("exercise", FIND, ids=lambda one: one.name)
def test_each_variant_comes_before_one_comes_again(exercise):
    count, progress, seen = count_variants(exercise.find), ExerciseProgress(), []
    for _ in range(3 * count):
        progress = progress.after_draw(draw_variant(exercise.find, progress.drawn), count).after_reset()
        seen.append(progress.drawn[-1])
    assert {*seen[:count]} == {*range(count)}
    assert all(earlier != later for earlier, later in pairwise(seen))


@pytest.mark.parametrize("exercise", FIND, ids=lambda one: one.name)
def test_first_hint_depends_on_the_failure(exercise):
    hints = HintList(exercise)
    assert hints.hint(1, "answer") != hints.hint(1, "")


@pytest.mark.parametrize(
    ("exercise", "text", "answer"),
    [
        (SLOW_PAGE, " Cache.Edge ", "cache.edge"),
        (CACHE_STATUS, "shared, bypass", "shared bypass"),
        (STALE_PRICE, "shared edge", "edge shared"),
        (STALE_PRICE, "Shared,EDGE,shared", "edge shared"),
    ],
)
def test_answer_has_one_form(exercise, text, answer):
    assert parse_answer(exercise.find, text) == answer


@pytest.mark.parametrize(
    ("exercise", "text", "message"),
    [
        (SLOW_PAGE, "cache.egde", "Did you mean cache.edge?"),
        (SLOW_PAGE, "edge", "Did you mean cache.edge?"),
        (SLOW_PAGE, "cache.edge cache.local", "The answer has the form SWITCH."),
        (CACHE_STATUS, "bypass shared", "'bypass' is not one of the words."),
        (CACHE_STATUS, "shared", "The second word is one of: first, miss, stale, bypass."),
        (STALE_PRICE, "database", "Give one or more of these words"),
        (STALE_PRICE, " , ", "Give one or more of these words"),
    ],
)
def test_wrong_words_are_wrong_usage(exercise, text, message):
    with pytest.raises(ConfigurationError, match=message.replace("?", r"\?")):
        parse_answer(exercise.find, text)


@pytest.mark.parametrize("text", ["cache.local", "cache.lcal", "redis"])
def test_choices_are_listed_once(text):
    with pytest.raises(ConfigurationError) as refused:
        parse_answer(SLOW_PAGE.find, f"{text} x" if text == "cache.local" else text)
    assert str(refused.value).count("cache.browser") == 1


@pytest.mark.parametrize(("answer", "line"), LINES.items())
def test_line_is_read_by_the_rules_of_the_page(answer, line):
    assert read_answer(line) == answer
    assert parse_answer(CACHE_STATUS.find, answer) == answer
    assert f"`{line}`" in CACHE_STATUS.page("why.md")


def test_each_situation_of_the_case_is_in_the_solution():
    assert {situation.answer for situation in SITUATIONS} == set(LINES)


def test_last_entry_of_each_layer_counts():
    entries = read_entries("shop-shared; hit; ttl=3, other; hit, shop-shared; fwd=miss; stored, shop-edge; fwd=miss")
    assert {layer: entry.text for layer, entry in entries.items()} == {
        "shared": "shop-shared; fwd=miss; stored",
        "edge": "shop-edge; fwd=miss",
    }
    assert answering_layer(entries) == "origin"


@pytest.mark.parametrize(
    ("off", "cache_status", "control"),
    [
        ([], HEALTHY, "no-cache"),
        (["cache.browser"], HEALTHY, "no-store"),
        (["cache.edge"], HEALTHY.removesuffix("; stored"), "no-cache"),
        (["cache.local"], HEALTHY.replace("local; fwd=miss; stored", "local; fwd=bypass"), "no-cache"),
        (["cache.shared"], HEALTHY.replace("shared; fwd=stale; stored", "shared; fwd=bypass"), "no-cache"),
    ],
)
def test_signs_of_each_switch_are_read(off, cache_status, control):
    signs = read_signs(httpx.Response(200, headers={"Cache-Status": cache_status, "Cache-Control": control}))
    assert [switch for switch, (is_off, _) in signs.items() if is_off] == off
    assert set(signs) == set(SWITCHES) == set(EXPECTED)


@pytest.mark.parametrize("exercise", [SLOW_PAGE, STALE_PRICE], ids=lambda one: one.name)
def test_page_shows_where_the_verdict_says_to_look(exercise):
    module = slow_page if exercise is SLOW_PAGE else stale_price
    assert f"  look      {module.LOOK}\n" in exercise.page("README.md")


def test_answers_of_the_stale_price_are_answers():
    assert [parse_answer(STALE_PRICE.find, answer) for answer in ANSWERS] == list(ANSWERS)
    assert all(f"| {answer.replace(' ', ', ')} |" in STALE_PRICE.page("why.md") for answer in ANSWERS)
