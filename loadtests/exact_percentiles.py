"""Prints the exact percentiles of a Locust run that recorded its requests.

.venv/bin/locust -f loadtests/locustfile.py --headless --users 20 --run-time 30s --record var/requests.jsonl
.venv/bin/python loadtests/exact_percentiles.py var/requests.jsonl
"""

import argparse
import sys
from pathlib import Path

from recording.request_log import read_requests, requests_table


def main() -> int:
    """Print the table of a file, and return the exit code."""
    parser = argparse.ArgumentParser(description="Exact percentiles of a Locust run that had --record FILE.")
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    try:
        requests = read_requests(path)
    except (OSError, ValueError, TypeError) as error:
        print(f"exact_percentiles: {path} is not a file of --record: {error}", file=sys.stderr)
        return 2
    print(requests_table(requests))
    return 0


if __name__ == "__main__":
    sys.exit(main())
