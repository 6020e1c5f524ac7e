"""Generates the tables of the reference from the code: settings, switches, API calls, problem types."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from flask_openapi3 import OpenAPI

from shop.app import create_app
from shop.exercises.definition import load_definitions
from shop.exercises.in_store.seams import has_seam
from shop.lab.experiment import LabExperiment
from shop.settings import PROJECT_ROOT, Settings, variable
from shop.switches.registry import SWITCHES
from shop.web import problems
from shop.wiring import build

API = "/api/v1"
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most"}
SECTION = re.compile(r"^## The switch\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(?:\]\(\.\./\.\./|<!-- code: )(shop/[\w/]+\.py)\b")
"""A link to code on a pattern's page, or the file of the code that it shows."""
NAMED = re.compile(r"`[a-z]+\.[a-z_]+`")
MOST_CODE = 2
SETTINGS_HEADER = """# Settings

Each process reads its settings once from the environment, when it starts. No other code of the store reads the
environment. An unknown variable that starts with `SHOP_` is refused, and the message gives the nearest name. An invalid
value is refused, and the message gives the valid values. `bin/shop reference` generates this page.

| variable | default | values | meaning |
|---|---|---|---|
"""
SWITCHES_HEADER = """# Switches

The first value of each switch is the default; it is always the correct variant. [Switches](../patterns/switches.md)
explains how switches work. `bin/shop reference` generates this page from `shop/switches/registry.py`.

```sh
bin/shop switch list
bin/shop switch get cache.shared
bin/shop switch set cache.shared off
bin/shop switch reset
```

| switch | values | effect | pattern | experiment |
|---|---|---|---|---|
"""
ATTEMPTS_HEADER = """
## Attempts

While a build exercise is begun, its switch also takes `attempt`, in the lab profile only: [your code in the running
store](../explanation/your-code-in-the-store.md). `exercise.NN` exists only for its exercise; its values are `store` and
`attempt`.

| exercise | switch | Protocol | processes | limit of a call |
|---|---|---|---|---|
"""
UNSAFE = "\n† unsafe: exists only for measurements, and is refused outside the lab profile.\n"


def settings_page() -> str:
    """Return the page of all settings, as Markdown."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.relative_to(PROJECT_ROOT) if isinstance(default, Path) else default
        cell = "unset" if default in (None, "") else f"`{shown}`"
        description = " ".join((field.description or "").replace("``", "`").split())
        rows.append(f"| `{variable(name)}` | {cell} | {_setting_values(field)} | {description} |\n")
    return SETTINGS_HEADER + "".join(rows)


def switches_page(patterns: Path, experiments: Iterable[LabExperiment]) -> str:
    """Return the page of all switches, as Markdown.

    Args:
        patterns: the folder of the pages that each name their pattern's switch.
        experiments: all experiments; a row lists those that change the switch.
    """
    sections = {page: switch_section(page) for page in sorted(patterns.glob("*.md"))}
    known, rows = list(experiments), []
    for name, switch in SWITCHES.items():
        pages = [f"[{page.stem}](../patterns/{page.name})" for page, text in sections.items() if f"`{name}`" in text]
        changing = [one.name for one in known if _changes(one, name)]
        links = ", ".join(f"[{experiment}](experiments.md)" for experiment in changing) or "–"
        values = " ".join(f"`{value}`{'†' if value in switch.unsafe else ''}" for value in switch.values)
        rows.append(f"| `{name}` | {values} | {switch.description} | {', '.join(pages)} | {links} |\n")
    note = UNSAFE if any(switch.unsafe for switch in SWITCHES.values()) else ""
    return SWITCHES_HEADER + "".join(rows) + note + attempts_section()


def switch_links(patterns: Path, experiments: Iterable[LabExperiment]) -> str:
    """Return the links of all switches as JSON, for the lab's page.

    Args:
        patterns: the folder of the patterns' pages.
        experiments: all experiments.
    """
    pages = sorted(patterns.glob("*.md"))
    exercises, known = load_definitions().values(), list(experiments)
    document = {}
    for name in SWITCHES:
        about = [page for page in pages if f"`{name}`" in switch_section(page)]
        # A page that names one switch alone is about it; the others name it beside their own.
        about.sort(key=lambda page: len(NAMED.findall(switch_section(page))))
        code = dict.fromkeys(path for page in about for path in CODE.findall(page.read_text(encoding="utf-8")))
        own = {page.stem for page in about}
        document[name] = {
            "pages": [page.stem for page in about],
            "code": list(code)[:MOST_CODE],
            "experiments": [one.name for one in known if _changes(one, name)],
            "exercises": [[one.label, one.title] for one in exercises if own & set(one.patterns)],
        }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _changes(experiment: LabExperiment, name: str) -> bool:
    """Return whether an experiment compares values of a switch."""
    return len({arm.switches.get(name) for arm in experiment.arms}) > 1


def attempts_section() -> str:
    """Return the section about the switches that take a reader's code, as Markdown."""
    rows = []
    for exercise in load_definitions().values():
        if exercise.build is not None and has_seam(exercise.slug):
            build = exercise.build
            link = f"[{exercise.label} {exercise.title}](../exercises/{exercise.name}/README.md)"
            protocol = f"`{build.interface.partition(':')[2]}`"
            processes = ", ".join(build.processes)
            rows.append(f"| {link} | `{build.switch}` | {protocol} | {processes} | {build.call_limit_ms} ms |\n")
    return ATTEMPTS_HEADER + "".join(rows)


def switch_section(page: Path) -> str:
    """Return the section of a pattern's page about its switch, or an empty string."""
    section = SECTION.search(page.read_text(encoding="utf-8"))
    return section[1] if section else ""


def api_calls_table() -> str:
    """Return the table of all API calls, from the OpenAPI description."""
    with application() as app:
        paths: dict[str, Any] = app.api_doc["paths"]
    lines = [
        f"| `{method.upper()} {path.removeprefix(API)}` | {operation['summary'].rstrip('.')} |"
        for path, operations in sorted(paths.items())
        for method, operation in operations.items()
    ]
    return "\n".join(["| call | does |", "|---|---|", *lines])


@contextmanager
def application() -> Iterator[OpenAPI]:
    """Build the store's application to read its routes; it connects to no server."""
    runtime = build(Settings(profile="lab", database_url="postgresql://127.0.0.1/not-asked"))
    try:
        yield create_app(runtime)
    finally:
        runtime.close()


def problems_table() -> str:
    """Return the table of all problem documents: status, last part of ``type``, meaning."""
    known = sorted(problems.STATUS.items(), key=lambda pair: (pair[1], pair[0].problem))
    lines = [
        f"| {status} | `{error.problem}` | {(error.__doc__ or '').splitlines()[0].replace('``', '`')} |"
        for error, status in known
    ]
    return "\n".join(["| status | `type` ends in | means |", "|---|---|---|", *lines])


def _setting_values(field: Any) -> str:
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = {int: "whole number", float: "number", bool: "`true` or `false`", Path: "directory"}.get(
        field.annotation, "text"
    )
    bounds = [
        f"{label} {getattr(bound, mark)}"
        for bound in field.metadata
        for mark, label in BOUNDS.items()
        if hasattr(bound, mark)
    ]
    return ", ".join([kind, *bounds])
