"""Texts and commands that name code by its path: no type checker reads them, and a rename leaves them behind."""

import re

from shop.settings import PROJECT_ROOT

FILES = (
    *("Dockerfile", "Makefile", "docker-compose.yml", "pyproject.toml", "*.md"),
    *("docs/**/*.md", "deploy/**/*", "findings/*"),
    *("shop/**/*.py", "loadtests/**/*.py", "migrations/**/*.py"),
)
"""Not the tests, which run what they name, or name on purpose what does not exist."""
CODE = r"(?:shop|tests|loadtests|migrations)(?:\.\w+)+"
REFERENCE = re.compile(rf":[a-z]+:`~?({CODE})(?:\(\))?`")
"""A reference of a docstring, such as one to a module or a function."""
COMMAND = re.compile(rf"(?:-m|-m[\"'],) [\"']?({CODE})")
"""A module that Python runs."""
OBJECT = re.compile(rf"(?:python:({CODE})|({CODE}:[a-z_]\w*)\b)")
"""A module with settings for gunicorn; an object in a module, as gunicorn and entry points name it."""
IMPORT = re.compile(rf"^from ({CODE}) import (\w+(?:, \w+)*)$", re.MULTILINE)
"""An import in an example of the docs."""
PLACE = re.compile(r"((?:`[\w.]+(?:\(\))?`(?:, | and )?)+) in `((?:shop|tests|loadtests|deploy)/[\w./-]+\.\w+)`")
"""Names in the docs with the file that defines them."""


def test_every_code_path_in_texts_and_commands_leads_somewhere():
    dangling = []
    for name, text in _texts():
        found = [match for pattern in (REFERENCE, COMMAND, OBJECT) for match in pattern.findall(text)]
        paths = [path if isinstance(path, str) else "".join(path) for path in found]
        if name.endswith(".md"):
            paths += [f"{module}.{each}" for module, names in IMPORT.findall(text) for each in names.split(", ")]
        dangling += [(name, path) for path in paths if not _leads_somewhere(path)]
    assert dangling == []


def test_every_file_the_docs_name_contains_its_names():
    missing = []
    for page, text in _texts():
        for names, path in PLACE.findall(text) if page.endswith(".md") else ():
            parts = [part for name in re.findall(r"`([\w.]+)", names) for part in name.split(".")]
            missing += [(page, path, part) for part in parts if not _has_word(PROJECT_ROOT / path, part)]
    assert missing == []


def _texts():
    for path in sorted(path for pattern in FILES for path in PROJECT_ROOT.glob(pattern) if path.is_file()):
        if path.suffix == ".pyc":  # beside a script of the docs, once it has run
            continue
        yield path.relative_to(PROJECT_ROOT).as_posix(), path.read_text()


def _leads_somewhere(path):
    """Return whether the longest part of a path that is a module contains the words of the rest."""
    parts = re.split("[.:]", path)
    for length in range(len(parts), 0, -1):
        module = PROJECT_ROOT.joinpath(*parts[:length])
        for source in (module.with_suffix(".py"), module / "__init__.py"):
            if source.is_file():
                return all(_has_word(source, part) for part in parts[length:])
    return False


def _has_word(source, word):
    return source.is_file() and re.search(rf"\b{word}\b", source.read_text()) is not None
