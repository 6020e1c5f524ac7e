"""The one figure that an experiment is about, as a sentence: figure, spread, claim, and whether the claim holds."""

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from shop.lab.charts import format_number
from shop.lab.strict_model import StrictModel

FIGURE = "{figure}"
OPERATORS: Mapping[str, str] = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
ANSWERS: Mapping[str, str] = {
    "holds": "yes",
    "broken": "no",
    "runs disagree": "the runs disagree",
    "not measured": "not measured",
}


class RunHeadline(StrictModel):
    """The claim that an experiment is about, and how to say its figure."""

    claim: str
    """One of the claims of the verdict."""
    says: str
    """A sentence without a full stop, with ``{figure}`` in it."""

    @field_validator("says")
    @classmethod
    def _has_a_figure(cls, says: str) -> str:
        if says.count(FIGURE) != 1:
            raise ValueError(f"write {FIGURE} once, where the measured figure belongs")
        return says


def headline_sentence(result: Mapping[str, Any]) -> str:
    """Return the verdict of a result as a sentence with its figure; a result of an older release gives its reason."""
    headline = result.get("headline")
    if not headline:
        return str(result["reason"])
    if headline["figure"] is None:
        return f"{headline['says'].replace(FIGURE, 'nothing')}: not measured."
    write = percent if headline["unit"] == "%" else format_number
    figure, low, high = (write(headline[key]) for key in ("figure", "low", "high"))
    spread = f" ({low} to {high} in {result['runs']} runs)" if low != high else ""
    sentence = f"{headline['says'].replace(FIGURE, figure)}{spread}"
    sentence = sentence[0].upper() + sentence[1:]
    if result["verdict"] == "look":
        return f"{sentence}; one run claims nothing."
    if result["verdict"] == "invalid":
        return f"{sentence}, but the run is invalid and claims nothing."
    _, operator, bound = headline["claim"].split()
    claimed = f"{OPERATORS[operator]} {percent(float(bound)) if headline['unit'] == '%' else bound}"
    return f"{sentence}; claimed {claimed}: {ANSWERS[headline['outcome']]}."


def verdict_line(result: Mapping[str, Any]) -> str:
    """Return the headline as a sentence; a refuted or invalid result also names what failed, with figure and bound.

    Without it, the line of a result that another claim than the headline's refuted would read like a confirmation. A
    result of an older release names its whole reason.
    """
    sentence = headline_sentence(result)
    if result["verdict"] not in ("refuted", "invalid") or sentence == result["reason"]:
        return sentence
    refuting = result.get("refuted_by")
    return f"{sentence} Refuted: {'; '.join(refuting)}." if refuting else f"{sentence} {result['reason']}"


def headline_figure(result: Mapping[str, Any]) -> str:
    """Return the figure alone; empty if it was not measured."""
    headline = result.get("headline") or {}
    if headline.get("figure") is None:
        return ""
    return percent(headline["figure"]) if headline["unit"] == "%" else format_number(headline["figure"])


def percent(share: float) -> str:
    """Return a share of one in percent."""
    return f"{share:.1%}"
