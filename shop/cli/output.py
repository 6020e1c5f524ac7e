"""Prints the result of a command, as text or as JSON."""

import json

import click


def emit(document: object, text: str, *, as_json: bool) -> None:
    """Print the document as JSON and nothing else, or the text."""
    click.echo(json.dumps(document, indent=2, default=str) if as_json else text)


def pluralize(number: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun, in the plural unless the number is 1: ``1 mail``, ``2 mails``.

    Args:
        number: how many.
        noun: in the singular.
        ending: of the plural.
    """
    return f"{number:,} {noun}{'' if number == 1 else ending}"
