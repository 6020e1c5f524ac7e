"""Writes the files of a new build exercise: complete, with a TODO at each place that needs its author."""

import keyword
import platform
import re
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template

from shop.errors import ConfigurationError

TEMPLATES = Path(__file__).parent / "templates"
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NUMBERS: Mapping[str, range] = {"week": range(1, 10), "month": range(10, 21), "quarter": range(21, 31)}
OVERFLOW = range(31, 100)
TODO = "TODO"
OF_FOLDER = {
    "exercise.toml": "exercise.toml",
    "README.md": "README.md",
    "hints.md": "hints.md",
    "why.md": "why.md",
    "attempt.py": "attempt.txt",
}
OF_PROOFS = ("wrong-square", "wrong-text", "wrong-absolute", "also-right-sum", "slow-sleep")
MODULES = {"interfaces": "interface.txt", "graders": "grader.txt", "store_defaults": "store_default.txt"}


def next_number(taken: Collection[int], chapter: str) -> int:
    """Return the lowest free number of a chapter; a full chapter goes on after the last one's numbers.

    Args:
        taken: the numbers in use.
        chapter: ``week``, ``month`` or ``quarter``.

    Raises:
        ConfigurationError: none is left.
    """
    free: list[int] = [number for number in (*NUMBERS[chapter], *OVERFLOW) if number not in taken]
    if not free:
        raise ConfigurationError("No number is free: exercises have the numbers 1 to 99.")
    return free[0]


def write_exercise(root: Path, slug: str, number: int, chapter: str) -> list[Path]:
    """Write the files of a new exercise; all of them, or none if one exists already.

    Args:
        root: the checkout.
        slug: lower-case words with hyphens.
        number: free.
        chapter: ``week``, ``month`` or ``quarter``.

    Returns:
        The files, the definition first.

    Raises:
        ConfigurationError: the slug is malformed, or a file exists.
    """
    name = slug.replace("-", "_")
    if not SLUG.fullmatch(slug) or keyword.iskeyword(name):
        raise ConfigurationError(f"{slug!r} is no name for an exercise: use lower-case words with hyphens.")
    words = {
        "slug": slug,
        "name": name,
        "camel": "".join(map(str.capitalize, name.split("_"))),
        "title": slug.replace("-", " ").capitalize(),
        "number": str(number),
        "label": f"{number:02d}",
        "chapter": chapter,
        "version": version("shop"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    files = dict(_places(root, words))
    if existing := [path for path in files if path.exists()]:
        raise ConfigurationError(f"{existing[0]} exists already: choose another name.")
    for path, template in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    return list(files)


def _places(root: Path, words: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    folder = root / "docs" / "exercises" / f"{words['label']}-{words['slug']}"
    for name, template in OF_FOLDER.items():
        yield folder / name, template
    for package, template in MODULES.items():
        yield root / "shop" / "exercises" / package / f"{words['name']}.py", template
    proofs = root / "tests" / "exercises" / words["label"]
    yield proofs / "expected.toml", "expected.toml"
    for name in OF_PROOFS:
        yield proofs / f"{name}.py", f"{name}.txt"
