"""``bin/shop books``: reconciles money, stock and orders with the provider's charges."""

import getpass
import json
import sys
from collections.abc import Mapping

import click

from shop.cli import EXIT_FAILED
from shop.cli.database import store_settings
from shop.cli.output import emit, pluralize
from shop.lab.broken_books import BrokenBooks
from shop.reconciliation.audit import LOOK_AGAIN_S, UNDER_WAY_S, audit
from shop.reconciliation.findings import AuditResult
from shop.storable_text import storable

SHOWN = 50
"""The most mismatches in the text output."""


@click.group(invoke_without_command=True)
@click.pass_context
@click.option(
    "--under-way", default=UNDER_WAY_S, show_default=True, help="Seconds until an unfinished operation is a mismatch."
)
@click.option("--look-again", default=LOOK_AGAIN_S, show_default=True, help="Seconds until a mismatch is read again.")
@click.option(
    "--placed-within", type=float, help="Check only orders of the last so many seconds, and all stock.  [default: all]"
)
@click.option("--stay", is_flag=True, hidden=True, help="Audit for each line of stdin, which replaces --placed-within.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def books(
    context: click.Context,
    under_way: float,
    look_again: float,
    placed_within: float | None,
    stay: bool,  # noqa: FBT001 - click passes options by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Compute the correct state of money, stock and orders again, and list every mismatch.

    The command reads the store's database and the provider's own list of charges, and changes nothing. Exit code 1 if
    there is a mismatch, 2 if the database or the list cannot be read.
    """
    if context.invoked_subcommand is not None:
        return
    settings = store_settings()
    if stay:
        for line in sys.stdin:
            click.echo(json.dumps(audit(settings, under_way, look_again, placed_within_s=float(line)).to_json()))
        return
    result = audit(settings, under_way, look_again, placed_within_s=placed_within)
    experiments = BrokenBooks(settings.var_dir / "lab").experiments_by_mismatch()
    document = result.to_json()
    for mismatch in document["mismatches"]:
        mismatch["made_by"] = experiments.get((mismatch["kind"], mismatch["id"]))
    emit(document, _format_result(result, experiments), as_json=as_json)
    sys.exit(EXIT_FAILED if result.mismatches else 0)


@books.command()
@click.argument("charge")
@click.option("--refund", "decision", flag_value="refund", help="Refund the rest of the charge.")
@click.option("--keep", "decision", flag_value="keep", help="Keep the money: the shop has earned it.")
@click.option("--reason", default="", help="The reason; required with --keep. It is stored with the decision.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def settle(charge: str, decision: str | None, reason: str, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Refund or keep an orphaned charge. CHARGE is the provider's id of a charge that belongs to no order here.

    Safe to repeat. The charge of an order is refused: cancel the order.
    """
    if decision is None:
        raise click.UsageError("Add --refund or --keep.")
    if decision == "keep" and not reason.strip():
        raise click.UsageError("Give the reason: --reason 'delivered from the paper list'.")
    from shop.wiring import build  # the audit alone does not need the application, whose import takes half a second

    runtime = build(store_settings(), process="books")
    try:
        orphans = runtime.services().orphaned_charges
        decide = orphans.refund if decision == "refund" else orphans.keep
        amount = decide(charge, getpass.getuser(), storable(reason.strip()))
    finally:
        runtime.close()
    text = f"{amount} of {charge} {'refunded' if decision == 'refund' else 'kept'}."
    emit({"charge": charge, "decision": decision, "amount": amount.to_json()}, text, as_json=as_json)


def _format_result(result: AuditResult, experiments: Mapping[tuple[str, str], str]) -> str:
    """Return the result as text.

    Args:
        result: of the audit.
        experiments: kind and id of a mismatch to the experiment that caused it on purpose.
    """
    lines = []
    for mismatch in result.mismatches[:SHOWN]:
        experiment = experiments.get((mismatch.kind, mismatch.id))
        cause = f" [made on purpose by {experiment}]" if experiment else ""
        lines.append(f"{mismatch.kind:<18} {mismatch.id}: {mismatch.says}{cause}")
    if len(result.mismatches) > SHOWN:
        lines.append(f"... and {len(result.mismatches) - SHOWN:,} more")
    checked = f"{result.orders:,} orders, {result.products:,} products and {result.charges:,} charges checked"
    total = pluralize(len(result.mismatches), "mismatch", "es")
    lines.append(f"{checked}, {result.under_way:,} under way; {total}.")
    if on_purpose := sum((mismatch.kind, mismatch.id) in experiments for mismatch in result.mismatches):
        lines.append(f"{on_purpose:,} of them made on purpose by experiments; `bin/shop reset` is a fresh start.")
    return "\n".join(lines)
