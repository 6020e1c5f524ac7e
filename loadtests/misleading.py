"""The four ways in which Locust's figures mislead, each shown by a run: Locust's figure beside the true one.

    .venv/bin/python loadtests/misleading.py [rounding|drops|ends|closed-loop] [--json] [--page FILE]

Needs no store: each run has a small server whose behaviour is known and which counts for itself. Takes 20 s for all.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from locust import __version__ as locust_version
from misleading_run.closed_loop import show_closed_loop
from misleading_run.drops import show_drops
from misleading_run.ends import show_ends
from misleading_run.figures import MisleadingWay, figures_table, way_table
from misleading_run.rounding import show_rounding
from recording.page_block import fenced, replace_block

from shop.lab.machine import describe_machine

WAYS: Mapping[str, Callable[[], MisleadingWay]] = {
    "drops": show_drops,
    "ends": show_ends,
    "rounding": show_rounding,
    "closed-loop": show_closed_loop,
}


def main() -> int:
    """Run the chosen ways, print them, and return the exit code."""
    parser = argparse.ArgumentParser(description="Show how Locust's figures mislead; without a name, all four ways.")
    parser.add_argument("way", nargs="?", choices=WAYS)
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--page", type=Path, help="put the tables into this page, too")
    options = parser.parse_args()
    logging.getLogger("locust").setLevel(logging.ERROR)
    chosen = [options.way] if options.way else list(WAYS)
    document = {}
    for name in chosen:
        way = WAYS[name]()
        document[name] = asdict(way)
        if options.page:
            replace_block(options.page, name, fenced(figures_table(way)))
        if not options.json:
            print(f"{way_table(way)}\n", flush=True)
    if options.page and not options.way:
        replace_block(options.page, "origin", f"Measured on {_origin()}")
    print(json.dumps(document, indent=1) if options.json else _origin())
    return 0


def _origin() -> str:
    machine = describe_machine()
    system = f"{machine['cpus']} cores, {machine['architecture']}, {machine['system'].split()[0]}"
    software = f"Python {machine['python']}, Locust {locust_version}, geventhttpclient {version('geventhttpclient')}"
    return f"{datetime.now(UTC):%Y-%m-%d}; {system},\n{software}."


if __name__ == "__main__":
    sys.exit(main())
