"""Generates the page of all limits, and of the rules by which they fit together."""

from shop.limit_rules import RULES, LimitRule, shown_sum
from shop.limit_values import NGINX_TEMPLATE
from shop.limits import LIMITS, LimitEntry
from shop.settings import PROJECT_ROOT, Settings

HEAD = """# Limits

Every queue, pool, body, wait and file of the store has a limit. The table names each with its default, the place where
it is set, and its reason. A setting is a variable of the environment ([settings](settings.md)); the other values are in
the file that the link opens. `bin/shop reference` reads them from there and generates this page.

Why limits at all: [bulkheads and bounded queues](../patterns/bulkheads.md), [timeouts and
deadlines](../patterns/timeouts-and-deadlines.md).
"""
TABLE = "\n| limit | of | value | reason |\n|---|---|---|---|\n"
RULES_HEAD = """
## How they fit together

`bin/shop up` checks each of these rules that a setting can break, before it starts a server; in the production profile
every process of the store does. A set of limits that contradicts itself is refused with exit code 2, and the message
names both sides and the settings to change. A test checks the whole table.

| must hold, here with the defaults | otherwise |
|---|---|
"""
MEGABYTE = 1024 * 1024


def limits_page() -> str:
    """Return the page, as Markdown."""
    defaults = Settings.model_construct()
    parts = [HEAD]
    for subject, entries in LIMITS.items():
        parts += [f"\n## {subject}\n", TABLE, *(_row(entry, defaults) for entry in entries)]
    return "".join([*parts, RULES_HEAD, *(_rule_row(rule, defaults) for rule in RULES)])


def _row(entry: LimitEntry, defaults: Settings) -> str:
    value = entry.read(defaults)
    if value is None:
        raise LookupError(f"the owner of {entry.name} is not here: {entry.owner}")
    reason = entry.reason or value.reason
    sentence = f"{reason[0].upper()}{reason[1:].rstrip('.')}."
    return f"| {_place(entry)} | {entry.bounds} | {_with_unit(value.number, entry.unit)} | {sentence} |\n"


def _place(entry: LimitEntry) -> str:
    """Return the name of a limit, as a link to the place where it is set."""
    if entry.is_setting:
        return f"[`{entry.name}`](settings.md)"
    place, *names = entry.owner.split()
    path = NGINX_TEMPLATE.relative_to(PROJECT_ROOT).as_posix() if place == "nginx" else place
    return f"{entry.name}: [`{names[-1] if place == 'nginx' else ' '.join(names)}`](../../{path})"


def _with_unit(number: float, unit: str) -> str:
    """Return a number with its unit; bytes as KiB or MiB where that is a round number."""
    if unit == "bytes":
        for size, name in ((MEGABYTE, "MiB"), (1024, "KiB")):
            if number >= size and number % size == 0:
                return f"{number / size:,.0f} {name}"
    return f"{round(number, 2):,.12g} {unit}"


def _rule_row(rule: LimitRule, defaults: Settings) -> str:
    shown = f"{shown_sum(rule.low, defaults)} {rule.relation} {shown_sum(rule.high, defaults)}"
    return f"| {shown} | {rule.because} |\n"
