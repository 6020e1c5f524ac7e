"""The docs name only what exists: files, commands, settings, switches."""

import re
import shlex
from pathlib import Path

import click
import pytest

from shop.cli import main
from shop.settings import PROJECT_ROOT, Settings
from shop.switches import SWITCHES

PAGES = sorted(
    [*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(PROJECT_ROOT).as_posix(),
)
CODE = re.compile(r"```.*?```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SETTING = re.compile(r"\bSHOP_[A-Z_]+\b")
SWITCH = re.compile(r"\b(?:cache|checkout|orders|payments|overload|api|observability)\.[a-z_]+\b")
PLACE = re.compile(r"(?:shop|tests|docs|loadtests|migrations|deploy)/[\w./-]+")


def of_every_page(function):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())(function)


@of_every_page
def test_every_link_leads_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@of_every_page
def test_every_file_named_exists(page):
    named = {place.rstrip("./") for code in _inline_code(page) for place in PLACE.findall(code) if "*" not in code}
    assert [place for place in sorted(named) if not (PROJECT_ROOT / place).exists()] == []


@of_every_page
def test_every_setting_named_exists(page):
    known = {f"SHOP_{name.upper()}" for name in Settings.model_fields}
    assert set(SETTING.findall(page.read_text())) - known <= {"SHOP_"}


@of_every_page
def test_every_switch_named_exists(page):
    if page.name == "CHANGELOG.md":
        return
    named = {
        name for code in _inline_code(page) for name in SWITCH.findall(code) if code.split("=")[0].split()[-1] == name
    }
    assert named - set(SWITCHES) == set()


@of_every_page
def test_every_command_named_exists(page):
    unknown = [line for line in _commands(page) if not _exists(line)]
    assert unknown == []


def _inline_code(page: Path) -> list[str]:
    return [code for code in CODE.findall(page.read_text()) if code]


def _commands(page: Path) -> list[str]:
    fenced = [
        line
        for block in re.findall(r"```(?:sh|bash|console)?\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    found = [line.strip().removeprefix("$ ").removeprefix(".venv/bin/") for line in [*fenced, *_inline_code(page)]]
    return [line for line in found if re.match(r"shop [a-z]", line)]


def _exists(line: str) -> bool:
    words = shlex.split(line.split("#")[0].split("|")[0].split("\\")[0].replace("…", ""))[1:]
    command: click.Command = main
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith(("-", "[")):
        found = command.get_command(context, words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]} | {
        "--help"
    }
    given = {re.split(r"[=\]|]", word.lstrip("["))[0] for word in words if word.lstrip("[").startswith("--")}
    return given <= known
