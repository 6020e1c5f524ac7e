"""The docs name only existing files, commands, settings and switches."""

import re
import shlex
from pathlib import Path

import click
import pytest

from shop.cli import main
from shop.cli.reference import build_pages, load_runs
from shop.cli.reference_tables import application, switch_section
from shop.exercises.definition import load_definitions
from shop.lab.machine import machine_words
from shop.settings import PROJECT_ROOT, Settings
from shop.switches.registry import SWITCHES

PAGES = sorted(
    [*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(PROJECT_ROOT).as_posix(),
)
CODE = re.compile(r"```.*?```|`([^`\n]+)`", re.DOTALL)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
"""A block of code: its language and its text."""
SHELLS = ("", "sh", "bash", "console")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SOURCE_LINK = re.compile(r"((?:`[\w.]+(?:\(\))?`(?:, | and )?)*)(?: in)? ?\[`?([\w/]+\.py)`?\]\(([^)#]+)\)")
ANCHOR = re.compile(r"\]\(([^)#\s:]+\.md)#([^)]+)\)")
PICTURE = re.compile(r"!\[[^]]*\]\([./]*images/([\w-]+)\.svg\)")
SETTING = re.compile(r"\bSHOP_[A-Z_]+\b")
SWITCH = re.compile(r"\b(?:cache|checkout|orders|payments|overload|api|observability)\.[a-z_]+\b")
FILE = re.compile(r"\.(?:py|md|toml|json|html|js|css|jsonl)$")
QUESTIONS = (
    "The problem",
    "How it works here",
    "The switch",
    "The measured effect",
    "What can go wrong",
    "When not to use it",
)
PATTERNS = sorted((PROJECT_ROOT / "docs" / "patterns").glob("*.md"))
PLACE = re.compile(r"(?:shop|tests|docs|loadtests|migrations|deploy)/[\w./-]+")


def of_every_page(function):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())(function)


@of_every_page
def test_every_link_leads_somewhere(page):
    targets = [target for target in LINK.findall(FENCE.sub("", page.read_text())) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@of_every_page
def test_source_link_text_names_the_file_and_its_content(page):
    for code, text, target in SOURCE_LINK.findall(page.read_text()):
        assert target.endswith(f"/{text}") or target == text
        source = (page.parent / target).read_text()
        names = [part for name in re.findall(r"`([\w.]+)", code) for part in name.split(".")]
        assert [name for name in names if not re.search(rf"\b{name}\b", source)] == []


@of_every_page
def test_every_link_into_a_page_finds_its_heading(page):
    links = [(page.parent / target, anchor) for target, anchor in ANCHOR.findall(page.read_text())]
    assert [anchor for target, anchor in links if anchor not in _anchors(target)] == []


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
    assert {name for name in named if not FILE.search(name)} - set(SWITCHES) == set()


@of_every_page
def test_every_command_named_exists(page):
    unknown = [line for line in _commands(page) if not _exists(line)]
    assert unknown == []


def test_pages_generated_from_code_and_stored_runs_are_current():
    stale = [path.name for path, text in build_pages().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `bin/shop reference`"


@pytest.mark.parametrize("name", load_runs())
def test_a_stored_run_is_of_its_experiment_and_says_something(name):
    run = load_runs()[name]
    assert run["experiment"] == name
    assert run["verdict"] != "invalid"


@of_every_page
def test_stored_picture_stands_above_its_machine_and_date(page):
    text = page.read_text()
    for found in PICTURE.finditer(text):
        name = found[1]
        if run := load_runs().get(name):
            below = text[found.end() :].partition("\n## ")[0]
            assert f"`bin/shop lab run {name}`, {run['started_at'][:10]}" in below
            assert machine_words(run) in below


@pytest.mark.parametrize("page", PATTERNS, ids=lambda page: page.stem)
def test_every_pattern_page_answers_the_same_questions(page):
    headings = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
    assert [heading for heading in headings if heading in QUESTIONS] == list(QUESTIONS)


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_has_a_pattern_page(switch):
    assert any(f"`{switch}`" in switch_section(page) for page in PATTERNS)


OF_THE_DOCS = [page for page in PAGES if "docs" in page.relative_to(PROJECT_ROOT).parts]
EXERCISES = PROJECT_ROOT / "docs" / "exercises"
ACTION_PLAN = PROJECT_ROOT / "docs" / "action-plan" / "README.md"


@pytest.mark.parametrize("page", [page for page in OF_THE_DOCS if EXERCISES not in page.parents])
def test_every_page_of_the_docs_is_in_the_index(page):
    index = PROJECT_ROOT / "docs" / "README.md"
    assert page == index or f"]({page.relative_to(index.parent).as_posix()})" in index.read_text()


@pytest.mark.parametrize("page", sorted(EXERCISES.glob("[0-9]*/README.md")), ids=lambda page: page.parent.name)
def test_every_exercise_is_in_the_action_plan(page):
    """Its hints and its solution are in no index: a command shows them when they help."""
    text = ACTION_PLAN.read_text()
    title = page.read_text().partition("\n")[0].removeprefix("# ")
    assert f"[{title}](../exercises/{page.parent.name}/README.md)" in text


def test_every_command_is_in_the_reference():
    text = (PROJECT_ROOT / "docs" / "reference" / "commands.md").read_text()
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert f"## shop {name}" in text
        parts = command.commands if isinstance(command, click.Group) else {"": command}
        options = {option for part in parts.values() for parameter in part.params for option in parameter.opts}
        section = text.split(f"## shop {name}")[1].split("\n## ")[0]
        assert [option for option in sorted(options) if option.startswith("--") and option not in section] == []
        assert [part for part in parts if part not in section] == []


def test_reference_lists_exactly_the_pages_of_the_store():
    text = (PROJECT_ROOT / "docs" / "reference" / "pages.md").read_text()
    named = set(re.findall(r"^\| `(/[^`]*)` \|", text, re.MULTILINE))
    with application() as app:
        rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods]
    served = {rule.rule.replace("<string:", "<") for rule in rules}
    assert named - {"/livez", "/readyz", "/metrics", "/lab/live"} <= served  # these are answered in front of Flask
    hidden = ("/static/", "/assets/", "/api/")
    assert {path for path in served if not path.startswith(hidden)} <= named


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _inline_code(page: Path) -> list[str]:
    return [code for code in CODE.findall(page.read_text()) if code]


def _commands(page: Path) -> list[str]:
    blocks = FENCE.findall(page.read_text())
    fenced = [line for language, code in blocks if language in SHELLS for line in code.splitlines()]
    found = [line.strip().removeprefix("$ ").removeprefix("bin/") for line in [*fenced, *_inline_code(page)]]
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


@pytest.mark.parametrize("page", PATTERNS, ids=lambda page: page.stem)
def test_every_pattern_has_an_exercise_and_links_it(page):
    about = [one for one in load_definitions().values() if page.stem in one.patterns]
    assert about, "each pattern has an exercise, or at least a predict question"
    for one in about:
        assert f"](../exercises/{one.name}/README.md)" in page.read_text()
