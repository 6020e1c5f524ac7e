"""What the reference says about the code, drawn from the code: settings, switches, API calls, refusals."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from flask_openapi3 import OpenAPI

from shop.app import create_app
from shop.lab.experiment import LabExperiment
from shop.settings import PROJECT_ROOT, Settings, variable
from shop.switches.registry import SWITCHES, PatternSwitch
from shop.web import problems
from shop.wiring import build

API = "/api/v1"
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most"}
SECTION = re.compile(r"^## The switch\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
SETTINGS_HEADER = """# Settings

Each process reads its settings once from the environment, when it starts. No other code of the store reads the
environment. An unknown variable that starts with `SHOP_` is refused, and the message gives the nearest name. An invalid
value is refused, and the message gives the valid values. `shop reference` generates this page.

| variable | default | values | meaning |
|---|---|---|---|
"""
SWITCHES_HEADER = """# Switches

The first value of each switch is the default; it is always the correct variant. [Switches](../patterns/switches.md)
explains how switches work. `shop reference` generates this page from `shop/switches/registry.py`.

```sh
.venv/bin/shop switch list
.venv/bin/shop switch get cache.shared
.venv/bin/shop switch set cache.shared off
.venv/bin/shop switch reset
```

| switch | values | effect | pattern | experiment |
|---|---|---|---|---|
"""
UNSAFE = "\n† unsafe: exists only for measurements, and is refused outside the lab profile.\n"


def settings_page() -> str:
    """Return the page of all settings, as Markdown."""
    return SETTINGS_HEADER + "".join(f"{_setting(name)}\n" for name in Settings.model_fields)


def switches_page(patterns: Path, experiments: Iterable[LabExperiment]) -> str:
    """Return the page of all switches, as Markdown.

    Args:
        patterns: the folder of pages that each say which switch is theirs.
        experiments: those there are; the page names the ones that flip a switch.
    """
    owners = {page: switch_section(page) for page in sorted(patterns.glob("*.md"))}
    known = list(experiments)
    rows = "".join(f"{_switch(switch, owners, known)}\n" for switch in SWITCHES.values())
    return SWITCHES_HEADER + rows + (UNSAFE if any(switch.unsafe for switch in SWITCHES.values()) else "")


def switch_section(page: Path) -> str:
    """Return what a pattern's page says about its switch, or an empty string."""
    found = SECTION.search(page.read_text(encoding="utf-8"))
    return found[1] if found else ""


def api_calls_table() -> str:
    """Return the table of all API calls, from the API's own description."""
    with application() as app:
        described: dict[str, Any] = app.api_doc["paths"]
    lines = [
        f"| `{method.upper()} {path.removeprefix(API)}` | {operation['summary'].rstrip('.')} |"
        for path, operations in sorted(described.items())
        for method, operation in operations.items()
    ]
    return "\n".join(["| call | does |", "|---|---|", *lines])


@contextmanager
def application() -> Iterator[OpenAPI]:
    """Build the store's application, to look at its routes; nothing is connected."""
    runtime = build(Settings(profile="lab", database_url="postgresql://127.0.0.1/not-asked"))
    try:
        yield create_app(runtime)
    finally:
        runtime.close()


def problems_table() -> str:
    """Return the table of the refusals the store knows: status, last part of ``type``, meaning."""
    known = sorted(problems.STATUS.items(), key=lambda pair: (pair[1], pair[0].problem))
    lines = [f"| {status} | `{error.problem}` | {_first_line(error.__doc__)} |" for error, status in known]
    return "\n".join(["| status | `type` ends in | means |", "|---|---|---|", *lines])


def _first_line(doc: str | None) -> str:
    return (doc or "").splitlines()[0].replace("``", "`")


def _switch(switch: PatternSwitch, owners: dict[Path, str], experiments: list[LabExperiment]) -> str:
    pages = [f"[{page.stem}](../patterns/{page.name})" for page, says in owners.items() if f"`{switch.name}`" in says]
    flips = [f"[{one.name}](experiments.md)" for one in experiments if _flips(one, switch.name)]
    values = " ".join(f"`{value}`{'†' if value in switch.unsafe else ''}" for value in switch.values)
    return f"| `{switch.name}` | {values} | {switch.description} | {', '.join(pages)} | {', '.join(flips) or '–'} |"


def _flips(experiment: LabExperiment, name: str) -> bool:
    return len({arm.switches.get(name) for arm in experiment.arms}) > 1


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    does = " ".join((field.description or "").replace("``", "`").split())
    return f"| `{variable(name)}` | {_default(field.default)} | {_values(field)} | {does} |"


def _default(value: object) -> str:
    if value in (None, ""):
        return "unset"
    return f"`{value.relative_to(PROJECT_ROOT) if isinstance(value, Path) else value}`"


def _values(field: Any) -> str:
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = {int: "whole number", float: "number", bool: "`true` or `false`", Path: "directory"}.get(
        field.annotation, "text"
    )
    bounds = [
        f"{words} {getattr(bound, mark)}"
        for bound in field.metadata
        for mark, words in BOUNDS.items()
        if hasattr(bound, mark)
    ]
    return ", ".join([kind, *bounds])
