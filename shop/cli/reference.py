"""``shop reference``: writes the pages of ``docs/reference`` that are drawn from the code itself."""

from pathlib import Path
from typing import Any, get_args

import click

from shop.settings import PROJECT_ROOT, Settings, variable

PAGE = PROJECT_ROOT / "docs" / "reference" / "settings.md"
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most"}
HEADER = """# Settings

Read once from the environment, when a process starts; nothing else in the store reads it. An unknown variable that
starts with `SHOP_` is refused with the nearest name, a value that does not fit with what would. This page is written by
`shop reference`.

| variable | default | values | what it is |
|---|---|---|---|
"""


@click.command(hidden=True)
def reference() -> None:
    """Write the generated pages anew."""
    PAGE.write_text(settings_page())


def settings_page() -> str:
    """Return the page of all settings, as Markdown."""
    return HEADER + "".join(f"{_row(name)}\n" for name in Settings.model_fields)


def _row(name: str) -> str:
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
    kind = {int: "whole number", float: "number", Path: "directory"}.get(field.annotation, "text")
    bounds = {
        mark: getattr(bound, mark) for bound in field.metadata for mark in ("ge", "gt", "le") if hasattr(bound, mark)
    }
    said = {"ge": "at least", "gt": "above", "le": "at most"}
    return ", ".join([kind, *(f"{said[mark]} {bound}" for mark, bound in bounds.items())])
