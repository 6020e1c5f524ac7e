"""Readable names from the retailer's abbreviations in capitals."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

VOCABULARY: Mapping[str, Mapping[str, str]] = MappingProxyType(
    tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text("utf-8"))
)
PHRASES, WORDS, UNITS = VOCABULARY["phrases"], VOCABULARY["words"], VOCABULARY["units"]
SMALL = frozenset({"and", "or", "of", "in", "for", "with", "except", "including", "per", "the"})
VAGUE = frozenset(VOCABULARY["vague"]["words"].split())
COLUMN_WIDTH = 29
"""The source cuts longer names off, often within the last word."""
_SIZE = re.compile(r"(?P<packs>\d+)/(?P<each>\d*\.?\d+) *(?P<pack_unit>[A-Z]+)|(?P<number>\d*\.?\d+) *(?P<unit>[A-Z]+)")
_WORD = re.compile(r"[A-Z0-9%.']+(?:\(CANS\))?")


def readable(text: str) -> str:
    """Return a readable form of a name in capitals and abbreviations; an empty string stays empty."""
    words = text.split()
    text = " ".join(words)
    if len(text) >= COLUMN_WIDTH and len(words[-1]) <= 3:  # the end of a word that was cut off
        text = " ".join(words[:-1])
    while text.count("(") > text.count(")"):  # the end of a remark in brackets was cut off
        text = text[: text.rindex("(")].rstrip()
    text = re.sub(r"\)(?=\S)", ") ", text)
    meanings: list[str] = []
    for phrase, meaning in sorted(PHRASES.items(), key=lambda item: -len(item[0])):
        if phrase in text:
            text = text.replace(phrase, f"\x00{len(meanings)}\x00")
            meanings.append(meaning)
    text = re.sub(r"\s*&\s*", " & ", text)
    text = re.sub(r"\s*:\s*|\s+-\s+|- | -", ", ", text)
    text = re.sub(r"\s*/\s*", " / ", text)
    text = _WORD.sub(lambda match: _readable_word(match[0]), text)
    text = re.sub("\x00(\\d+)\x00", lambda match: meanings[int(match[1])], text)
    text = re.sub(r"\s+", " ", text).strip(" ,/&-")
    return text[:1].upper() + text[1:]


def package(size: str | None) -> str:
    """Return a readable package size such as ``22 oz``, or an empty string if the source has none."""
    match = _SIZE.search(size or "")
    if match is None:
        return "per lb" if size and size.strip() in ("LB", "PER LB") else ""
    if match["packs"]:
        unit = UNITS.get(match["pack_unit"])
        return f"{match['packs']} × {_number(match['each'])} {unit}" if unit else ""
    unit = UNITS.get(match["unit"])
    return f"{_number(match['number'])} {unit}" if unit else ""


def type_or_category(kind: str, category: str) -> str:
    """Return the type of a product, after its category if the type is vague; without a type, the category."""
    words = kind.split()
    if category and words and (kind in VAGUE or (len(words) == 2 and all(word in VAGUE for word in words))):
        return f"{category}: {kind}"
    return kind or category


def _readable_word(word: str) -> str:
    if word in WORDS:
        return WORDS[word]
    if any(letter.isdigit() for letter in word):
        return word.lower() if word[-1:].isalpha() else word
    return word.lower() if word.lower() in SMALL else word.capitalize()


def _number(text: str) -> str:
    return f"{float(text):g}"
