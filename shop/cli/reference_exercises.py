"""Generates the lists of exercises in the docs: the map of the action plan, and the practice of each pattern's page."""

from collections.abc import Iterable

from shop.exercises.definition import CHAPTERS, PATTERNS, ExerciseDefinition

HEADER = "| exercise | kind | level | minutes | afterwards you can | pattern |\n|---|---|---|---|---|---|\n"
NONE_YET = "No exercise exists yet."


def chapter_table(chapter: str, definitions: Iterable[ExerciseDefinition]) -> str:
    """Return the table of a chapter of the action plan, as Markdown.

    Args:
        chapter: ``week``, ``month`` or ``quarter``.
        definitions: all exercises, in their order.

    Raises:
        KeyError: there is no such chapter.
    """
    assert CHAPTERS[chapter]  # noqa: S101 - an unknown chapter is a mistake in the page
    rows = [_row(one) for one in definitions if one.chapter == chapter]
    return HEADER + "\n".join(rows) if rows else NONE_YET


def practice_list(pattern: str, definitions: Iterable[ExerciseDefinition]) -> str:
    """Return the list of the exercises about a pattern, as Markdown.

    Args:
        pattern: its page in ``docs/patterns``, without the suffix.
        definitions: all exercises, in their order.

    Raises:
        KeyError: there is no such page.
    """
    if not (PATTERNS / f"{pattern}.md").exists():
        raise KeyError(pattern)
    items = [
        f"- {_link(one)}: {one.kind}, {one.minutes} minutes, {one.level}"
        for one in definitions
        if pattern in one.patterns
    ]
    return "\n".join(items) or NONE_YET


def _row(one: ExerciseDefinition) -> str:
    patterns = ", ".join(f"[{name}](../patterns/{name}.md)" for name in one.patterns)
    return f"| {_link(one)} | {one.kind} | {one.level} | {one.minutes} | {one.objectives[0]} | {patterns} |"


def _link(one: ExerciseDefinition) -> str:
    return f"[{one.label} {one.title}](../exercises/{one.name}/README.md)"
