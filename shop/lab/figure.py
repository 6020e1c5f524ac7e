"""What a stored run says, as Markdown: the measured effect in the docs is written from it, never typed."""

from shop.lab.report import rows
from shop.lab.result import Result


def table(result: Result) -> str:
    """Return a result as a table, its ratios and where the figures come from.

    Args:
        result: a document as ``shop lab run`` writes it.
    """
    titles = " | ".join(arm["title"] for arm in result["arms"])
    lines = [f"| | {titles} |", "|---" * (len(result["arms"]) + 1) + "|"]
    lines += [f"| {words} | {' | '.join(cells)} |" for words, cells in rows(result)]
    return "\n".join([*lines, "", _ratios(result), "", _origin(result)])


def _ratios(result: Result) -> str:
    return "; ".join(f"`{name}` {_with_spread(result, name)}" for name in result["ratios"]) + "."


def _with_spread(result: Result, name: str) -> str:
    middle, bounds = result["ratios"][name], result["spread"].get(name)
    if middle is None:
        return "not measured"
    return f"{middle:.2f}" + (f" ({bounds['min']:.2f} to {bounds['max']:.2f})" if bounds else "")


def _origin(result: Result) -> str:
    machine = result["machine"]
    return (
        f"Verdict: {result['verdict']}. `shop lab run {result['experiment']}`, {result['started_at'][:10]}, median of "
        f"{result['runs']} runs with the lowest and the highest; store, servers and load shared {machine['cpus']} "
        f"cores ({machine['architecture']}, {machine['system'].split()[0]}, Python {machine['python']})."
    )
