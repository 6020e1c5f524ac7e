"""One result, said in the way that was asked for."""

import json

import click


def emit(document: object, text: str, *, as_json: bool) -> None:
    """Print the document as JSON and nothing else, or the text."""
    click.echo(json.dumps(document, indent=2, default=str) if as_json else text)


def pluralize(number: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun, which takes the plural's ending unless there is one: ``1 mail``, ``2 mails``."""
    return f"{number:,} {noun}{'' if number == 1 else ending}"
