"""``shop books``: the auditor, from the command line."""

import sys

import click

from shop.books.audit import LOOK_AGAIN_S, UNDER_WAY_S, audit
from shop.books.findings import Verdict
from shop.cli.database import settings_of_the_store
from shop.cli.output import emit

FAILED = 1
SHOWN = 50


@click.command()
@click.option(
    "--under-way", default=UNDER_WAY_S, show_default=True, help="Seconds until what is unfinished is a mismatch."
)
@click.option("--look-again", default=LOOK_AGAIN_S, show_default=True, help="Seconds to the second look at a mismatch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def books(under_way: float, look_again: float, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Work out again what money, stock and orders should be, and name every mismatch.

    Reads the store's database and the provider's own list of charges; changes nothing. Exit code 1 where something does
    not match, 2 where one of the two cannot be read.
    """
    verdict = audit(settings_of_the_store(), under_way, look_again)
    emit(verdict.to_json(), _told(verdict), as_json=as_json)
    sys.exit(FAILED if verdict.mismatches else 0)


def _told(verdict: Verdict) -> str:
    lines = [f"{found.kind:<18} {found.id}: {found.says}" for found in verdict.mismatches[:SHOWN]]
    if len(verdict.mismatches) > SHOWN:
        lines.append(f"... and {len(verdict.mismatches) - SHOWN:,} more")
    looked = f"{verdict.orders:,} orders, {verdict.products:,} products and {verdict.charges:,} charges looked at"
    lines.append(f"{looked}, {verdict.under_way:,} under way; {len(verdict.mismatches):,} mismatches.")
    return "\n".join(lines)
