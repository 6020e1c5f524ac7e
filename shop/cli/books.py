"""``shop books``: the auditor, from the command line."""

import getpass
import sys
from collections.abc import Mapping
from typing import Any

import click

from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.lab.broken_books import BrokenBooks
from shop.reconciliation.audit import LOOK_AGAIN_S, UNDER_WAY_S, audit
from shop.reconciliation.findings import AuditResult, BookMismatch
from shop.storable import storable
from shop.wiring import build

FAILED = 1
SHOWN = 50
Makers = Mapping[tuple[str, str], str]
"""Kind and id of a mismatch to the experiment that made it on purpose."""


@click.group(invoke_without_command=True)
@click.pass_context
@click.option(
    "--under-way", default=UNDER_WAY_S, show_default=True, help="Seconds until what is unfinished is a mismatch."
)
@click.option("--look-again", default=LOOK_AGAIN_S, show_default=True, help="Seconds to the second look at a mismatch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def books(context: click.Context, under_way: float, look_again: float, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Work out again what money, stock and orders should be, and name every mismatch.

    Reads the store's database and the provider's own list of charges; changes nothing. Exit code 1 where something does
    not match, 2 where one of the two cannot be read.
    """
    if context.invoked_subcommand is not None:
        return
    settings = store_settings()
    verdict = audit(settings, under_way, look_again)
    makers = BrokenBooks(settings.var_dir / "lab").experiments_by_mismatch()
    emit(_document(verdict, makers), _told(verdict, makers), as_json=as_json)
    sys.exit(FAILED if verdict.mismatches else 0)


@books.command()
@click.argument("charge")
@click.option("--refund", "decision", flag_value="refund", help="Give back what is left of it.")
@click.option("--keep", "decision", flag_value="keep", help="Leave the money with the shop: it was earned.")
@click.option("--reason", default="", help="Why; needed with --keep. It is kept beside the decision.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def settle(charge: str, decision: str | None, reason: str, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Decide on CHARGE, the provider's id of money that is of no order here.

    Safe to repeat. An order's own charge is refused: cancel the order.
    """
    if decision is None:
        raise click.UsageError("Say --refund or --keep.")
    if decision == "keep" and not reason.strip():
        raise click.UsageError("Say why it is kept: --reason 'delivered from the paper list'.")
    runtime = build(store_settings(), process="books")
    try:
        orphans = runtime.services().orphaned_charges
        decide = orphans.refund if decision == "refund" else orphans.keep
        amount = decide(charge, getpass.getuser(), storable(reason.strip()))
    finally:
        runtime.close()
    said = f"{amount} of {charge} {'given back' if decision == 'refund' else 'stays here'}."
    emit({"charge": charge, "decision": decision, "amount": amount.to_json()}, said, as_json=as_json)


def _document(verdict: AuditResult, makers: Makers) -> dict[str, Any]:
    document = verdict.to_json()
    for one in document["mismatches"]:
        one["made_by"] = makers.get((one["kind"], one["id"]))
    return document


def _told(verdict: AuditResult, makers: Makers) -> str:
    lines = [_line(found, makers.get((found.kind, found.id))) for found in verdict.mismatches[:SHOWN]]
    if len(verdict.mismatches) > SHOWN:
        lines.append(f"... and {len(verdict.mismatches) - SHOWN:,} more")
    looked = f"{verdict.orders:,} orders, {verdict.products:,} products and {verdict.charges:,} charges looked at"
    lines.append(f"{looked}, {verdict.under_way:,} under way; {pluralize(len(verdict.mismatches), 'mismatch', 'es')}.")
    if made := sum((found.kind, found.id) in makers for found in verdict.mismatches):
        lines.append(f"{made:,} of them made on purpose by experiments; `shop reset` is a fresh start.")
    return "\n".join(lines)


def _line(found: BookMismatch, made_by: str | None) -> str:
    return f"{found.kind:<18} {found.id}: {found.says}{f' [made on purpose by {made_by}]' if made_by else ''}"
