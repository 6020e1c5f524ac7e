"""Readable names from a retailer's shouted abbreviations."""

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
"""The source cut longer names off; what then stands at the end of one is a piece of a word."""
_SIZE = re.compile(r"(?P<packs>\d+)/(?P<each>\d*\.?\d+) *(?P<pack_unit>[A-Z]+)|(?P<number>\d*\.?\d+) *(?P<unit>[A-Z]+)")
_WORD = re.compile(r"[A-Z0-9%.']+(?:\(CANS\))?")


def readable(text: str) -> str:
    """Return a shouted, abbreviated name as people write it; an empty string stays one."""
    text = _closed(_whole(" ".join(text.split())))
    kept: list[str] = []
    for phrase, meaning in sorted(PHRASES.items(), key=lambda item: -len(item[0])):
        if phrase in text:
            text = text.replace(phrase, f"\x00{len(kept)}\x00")
            kept.append(meaning)
    text = re.sub(r"\s*&\s*", " & ", text)
    text = re.sub(r"\s*:\s*|\s+-\s+|- | -", ", ", text)
    text = re.sub(r"\s*/\s*", " / ", text)
    text = _WORD.sub(_word, text)
    text = re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], text)
    text = re.sub(r"\s+", " ", text).strip(" ,/&-")
    return text[:1].upper() + text[1:]


def package(size: str | None) -> str:
    """Return a package size as people write it, such as ``22 oz``; empty where there is none to read."""
    match = _SIZE.search(size or "")
    if match is None:
        return "per lb" if size and size.strip() in ("LB", "PER LB") else ""
    if match["packs"]:
        unit = UNITS.get(match["pack_unit"])
        return f"{match['packs']} × {_number(match['each'])} {unit}" if unit else ""
    unit = UNITS.get(match["unit"])
    return f"{_number(match['number'])} {unit}" if unit else ""


def named(kind: str, category: str) -> str:
    """Return what to call a product: its type, with its category where the type alone says nothing."""
    words = kind.split()
    if category and words and (kind in VAGUE or (len(words) == 2 and all(word in VAGUE for word in words))):
        return f"{category}: {kind}"
    return kind or category


def _word(match: re.Match[str]) -> str:
    word = match[0]
    if word in WORDS:
        return WORDS[word]
    if any(letter.isdigit() for letter in word):
        return word.lower() if word[-1:].isalpha() else word
    return word.lower() if word.lower() in SMALL else word.capitalize()


def _closed(text: str) -> str:
    """Cut off a remark in brackets that the source's column was too narrow for."""
    while text.count("(") > text.count(")"):
        text = text[: text.rindex("(")].rstrip()
    return re.sub(r"\)(?=\S)", ") ", text)


def _whole(text: str) -> str:
    """Drop the piece of a word at the end of a name that was too long."""
    words = text.split(" ")
    return " ".join(words[:-1]) if len(text) >= COLUMN_WIDTH and len(words[-1]) <= 3 else text


def _number(text: str) -> str:
    return f"{float(text):g}"
