"""The headline of a result: the figure, its spread, the claim, and whether the claim holds, in one sentence."""

import pytest

from shop.errors import ConfigurationError
from shop.lab.experiment import EXPERIMENTS, parse_experiment
from shop.lab.headline import headline_figure, headline_sentence, verdict_line

CACHE_ASIDE = (EXPERIMENTS / "cache-aside.toml").read_text()


def result(verdict="confirmed", **headline):
    known = {
        "claim": "ratios.p50 >= 2",
        "says": "{figure} times quicker",
        "figure": 9.0,
        "low": 8.1,
        "high": 9.9,
        "unit": "",
        "outcome": "holds",
    }
    return {"verdict": verdict, "runs": 2, "reason": "It is so.", "headline": {**known, **headline}}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (result(), "9.00 times quicker (8.10 to 9.90 in 2 runs); claimed at least 2: yes."),
        (result("refuted", outcome="broken"), "9.00 times quicker (8.10 to 9.90 in 2 runs); claimed at least 2: no."),
        (
            result("invalid"),
            "9.00 times quicker (8.10 to 9.90 in 2 runs), but the run is invalid and claims nothing.",
        ),
        (result("look", low=9.0, high=9.0), "9.00 times quicker; one run claims nothing."),
        (result("invalid", figure=None), "Nothing times quicker: not measured."),
        (
            result(claim="arms.on.error_rate <= 0.01", says="{figure} failed", figure=0.0, low=0.0, high=0.0, unit="%"),
            "0.0% failed; claimed at most 1.0%: yes.",
        ),
        ({"verdict": "confirmed", "reason": "Of an older release."}, "Of an older release."),
    ],
)
def test_verdict_is_a_sentence_with_its_figure(given, sentence):
    assert headline_sentence(given).casefold() == sentence.casefold()


BROKEN = "protected.good_at_end is 0.88 (0.86 to 0.89 over the runs), not >= 0.9"


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (result(), ""),
        (result("look"), ""),
        ({**result("refuted"), "refuted_by": [BROKEN]}, f" Refuted: {BROKEN}."),
        (result("refuted"), " It is so."),  # of an older release
        (result("invalid"), " It is so."),
        ({"verdict": "invalid", "reason": "Of an older release."}, ""),
    ],
)
def test_verdict_line_names_what_failed(given, added):
    assert verdict_line(given) == headline_sentence(given) + added


def test_an_unmeasured_figure_is_blank():
    assert headline_figure(result(figure=None)) == headline_figure({"reason": ""}) == ""
    assert headline_figure(result(figure=0.05, unit="%")) == "5.0%"


@pytest.mark.parametrize(
    ("text", "replacement", "message"),
    [
        ('claim = "ratios.p50_off_over_on >= 2"', 'claim = "ratios.p50_off_over_on >= 9"', "no claim of the verdict"),
        ('says = "{figure} times', 'says = "many times', "write {figure} once"),
        ('chapter = "caching"', 'chapter = "chaching"', "no such chapter: chaching"),
    ],
)
def test_a_mistake_in_the_headline_is_reported(text, replacement, message):
    assert text in CACHE_ASIDE
    with pytest.raises(ConfigurationError) as refusal:
        parse_experiment(CACHE_ASIDE.replace(text, replacement), "bad.toml")
    assert message in str(refusal.value)
