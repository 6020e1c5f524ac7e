"""How ``bin/shop exercise`` shows progress and verdicts."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.markup import escape
from rich.syntax import Syntax

from shop.exercises.definition import CHAPTERS, ExerciseDefinition
from shop.exercises.exercise_list import Definitions, ProgressBySlug, exercise_state
from shop.exercises.grader_version import check_has_changed
from shop.exercises.progress import ExerciseProgress
from shop.exercises.verdict import CheckVerdict, PointComparison
from shop.settings import PROJECT_ROOT

COLOURS = {"passed": "green", "not yet": "yellow", "could not judge": "magenta"}
MARKS = {"passed": "[green]●[/]", "begun": "[yellow]◐[/]", "open": "○"}
SOLUTIONS = {
    "predict": "The calculation",
    "find": "The answer explained, and the other cases",
    "build": "Compare with the store's own code",
    "audit": "The whole list, with a repair of each weakness",
    "decide": "The model answer",
}
"""What the solution shows, by the kind of the exercise."""
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[(?P<text>[^\[\]]+)\]\((?P<target>[^()\s]+)\)")
SHOWN_OUTPUT_LINES = 20
SHOWN_LINE_CHARS = 200


def to_dict(definition: ExerciseDefinition, progress: ExerciseProgress) -> dict[str, Any]:
    """Return an exercise and the progress in it, for ``--json``."""
    fields = ("number", "slug", "title", "chapter", "kind", "level", "minutes", "prerequisites")
    state = {"state": exercise_state(progress), "check_changed": check_has_changed(definition, progress)}
    state |= progress.model_dump(mode="json")
    return {**definition.model_dump(mode="json", include=set(fields)), **state}


def map_lines(definitions: Definitions, progress: ProgressBySlug, holder: str = "") -> Iterator[str]:
    """Yield the lines of the map: the chapters, and a mark for the state of each exercise.

    Args:
        definitions: all exercises by slug.
        progress: by slug.
        holder: folder name of the exercise for which the store is changed.
    """
    for chapter, title in CHAPTERS.items():
        members = [one for one in definitions.values() if one.chapter == chapter]
        if not members:
            continue
        passed = sum(exercise_state(progress.get(one.slug)) == "passed" for one in members)
        yield f"[bold]{title}[/] ({passed} of {len(members)} passed)"
        for one in members:
            state = exercise_state(progress.get(one.slug))
            after = [definitions[slug].label for slug in one.prerequisites]
            advice = f"  (after {', '.join(after)})" if after and state == "open" else ""
            note = changed_note(one, progress.get(one.slug)) + held_note(one, holder)
            yield f"  {MARKS[state]} {one.label} {escape(one.title)}, {state}{advice}{note}"


def changed_note(definition: ExerciseDefinition, progress: ExerciseProgress | None) -> str:
    """Return a note if an update has changed the check since the reader's last one; otherwise an empty text."""
    is_changed = check_has_changed(definition, progress)
    return f"  (its check has changed: bin/shop exercise check {definition.number})" if is_changed else ""


def held_note(definition: ExerciseDefinition, holder: str) -> str:
    """Return a note if the store is changed for an exercise; otherwise an empty text.

    Args:
        definition: the exercise.
        holder: folder name of the exercise for which the store is changed.
    """
    is_held = holder == definition.name
    return f"  (it has changed the store: bin/shop exercise reset {definition.number} restores it)" if is_held else ""


def print_verdict(definition: ExerciseDefinition, verdict: CheckVerdict, holder: str = "") -> None:
    """Print the verdict: its word and colour, and for a failure what was done, expected and seen, and where to look.

    Args:
        definition: the exercise.
        verdict: of its check.
        holder: folder name of the exercise for which the store is still changed.
    """
    console = Console()
    colour = COLOURS[verdict.verdict]
    title = escape(f"{definition.label} {definition.title}")
    console.print(f"[bold {colour}]{verdict.verdict}[/]: {title}", highlight=False, soft_wrap=True)
    rows = _prediction_rows(definition, verdict)
    if verdict.answer:
        rows["answered"] = verdict.answer
    if verdict.passed:
        rows["passed"] = ", ".join(verdict.passed)
    if verdict.failure is not None:
        failure = verdict.failure
        says = {rule.name: f": {rule.says}" for rule in definition.checks}.get(failure.check, "")
        rows |= {"check": f"{failure.check}{says}", "done": failure.did, "expected": failure.expected}
        rows |= {"came": failure.came, "look": failure.look}
    if verdict.reason:
        rows["reason"] = verdict.reason
    for label, text in rows.items():
        click.echo(f"  {label:<9} {in_checkout(text)}")
    for number, figure in enumerate(verdict.figures):
        click.echo(f"  {'' if number else 'live':<9} {figure}")
    if verdict.output.strip():
        click.echo("\nYour code printed:")
        for line in verdict.output.rstrip().splitlines()[-SHOWN_OUTPUT_LINES:]:
            click.echo(line[:SHOWN_LINE_CHARS])
    if verdict.verdict == "not yet" and holder == definition.name:
        click.echo(
            f"\nThe store stays changed until you pass: look again, or restore it with"
            f" bin/shop exercise reset {definition.number}"
        )
    if verdict.following:
        click.echo(f"\nThe full experiment, which does not count for the verdict: {verdict.following}")
    if verdict.comparison:
        _print_comparison(verdict.comparison, definition.folder)
    elif verdict.verdict == "passed":
        click.echo(f"\n{SOLUTIONS[definition.kind]}: bin/shop exercise solution {definition.number}")


class WholeLineCode(CodeBlock):
    """A block of code whose lines keep their length: a line that is broken by the width is no longer valid Python."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the code, highlighted."""
        code = Syntax("", self.lexer_name, background_color="default").highlight(str(self.text).rstrip())
        code.rstrip()
        code.no_wrap, code.overflow = True, "ignore"
        yield code


class ReaderPage(Markdown):
    """A page or a hint in the terminal: prose is wrapped, code is not."""

    elements = Markdown.elements | {"fence": WholeLineCode, "code_block": WholeLineCode}


def print_page(text: str, folder: Path) -> None:
    """Print a text in Markdown.

    Args:
        text: of the page.
        folder: in which the page is, for its relative links.
    """
    Console().print(ReaderPage(name_targets(text, folder)), crop=False)


def name_targets(text: str, folder: Path) -> str:
    """Return a page whose links name their targets, which a terminal does not show. Code stays as it is.

    Args:
        text: in Markdown.
        folder: in which the page is.
    """

    def name(link: re.Match[str]) -> str:
        shown, target = link["text"], link["target"]
        if "://" not in target:
            path, mark, anchor = target.partition("#")
            target = os.path.relpath(folder / path, PROJECT_ROOT) + mark + anchor
        return target if target.endswith(shown) else f"{shown} ({target})"

    parts, end = [], 0
    for block in FENCED.finditer(text):
        parts += [LINK.sub(name, text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, LINK.sub(name, text[end:])])


def in_checkout(text: str) -> str:
    """Return a text with each path into the checkout as the reader types it there, and as the pages show it."""
    return text.replace(f"{PROJECT_ROOT}/", "")


def _print_comparison(comparison: Sequence[PointComparison], folder: Path) -> None:
    click.echo(
        "\nChecked by running code: each point has an answer, and your figures agree with the store. Not judged: your"
        " reasons. Compare them with the model answer, point by point; another decision can be as good."
    )
    console = Console()
    for point in comparison:
        console.print(f"\n[bold]{escape(point.name)}[/]: {escape(point.asks)}", highlight=False, soft_wrap=True)
        click.echo(f"\nYou wrote: {point.own}\n\nModel answer:")
        print_page(point.model, folder)


def _prediction_rows(definition: ExerciseDefinition, verdict: CheckVerdict) -> dict[str, str]:
    if definition.predict is None or verdict.prediction is None or verdict.failure:  # a failure tells both
        return {}
    unit = definition.predict.unit
    rows = {"predicted": f"{verdict.prediction:g} {unit}"}
    return rows if verdict.measured is None else {**rows, "measured": f"{round(verdict.measured, 1):g} {unit}"}
