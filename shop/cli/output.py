"""Prints the result of a command, as text or as JSON."""

import json

import click

EXIT_DECLINED = 1


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


def require_consent(question: str) -> None:
    """Ask a question with yes or no in the terminal; after a no, the command ends with exit code 1.

    Args:
        question: names what cannot be undone.
    """
    if not click.confirm(question, err=True):
        click.echo("Nothing was changed.", err=True)
        raise SystemExit(EXIT_DECLINED)
