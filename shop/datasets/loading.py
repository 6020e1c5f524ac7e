"""Load a data set: once, resumable, never mixed with another data set.

Problem: a load takes seconds to minutes and may be killed. The next run must neither repeat nor miss rows.
Method: the data set is a list of deterministic steps. Each step commits its rows together with its name, so the names
in ``seed_steps`` are exactly the steps whose rows are loaded. An advisory lock lets one process load at a time; the
others wait for the lock and then find all steps done.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import psycopg
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

from shop.accounts.passwords import hash_password
from shop.database.connection import StoreConnection
from shop.database.engine import build_engine, connection_parameters, safe_url, sqlalchemy_url
from shop.database.requirements import require_writable
from shop.database.session import SessionSetup
from shop.datasets.choice import SIZES, require_size
from shop.datasets.demo.plan import plan as demo_plan
from shop.datasets.plan import Connection, LoadPlan, SourceFinding, continue_numbering
from shop.datasets.production import NO_DATA_SET, OWN
from shop.datasets.progress import LoadProgress, SilentProgress
from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from shop.errors import ConfigurationError
from shop.settings import Settings

LOADING_LOCK = 7_411_905_234
"""Key of the advisory lock that lets one process load at a time."""
DEFAULT_DATASET, DEFAULT_SIZE = "demo", "m"
TABLES_WITH_IDS = ("categories", "users", "products", "reviews", "orders")


@dataclass(frozen=True)
class DatasetState:
    """The data set in a database."""

    kind: Literal["empty", "partial", "complete"]
    dataset: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class LoadReport:
    """The result of a load."""

    dataset: str
    size: str
    rows: int
    """Rows loaded by this run."""
    seconds: float
    already_there: bool
    findings: tuple[SourceFinding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``--json``."""
        return {
            "dataset": self.dataset,
            "size": self.size,
            "rows": self.rows,
            "seconds": round(self.seconds, 2),
            "already_there": self.already_there,
            "findings": [finding.to_json() for finding in self.findings],
        }


def seed(
    settings: Settings, dataset: str, size: str, progress: LoadProgress | None = None, *, today: date | None = None
) -> LoadReport:
    """Load a data set, or its missing steps, into the store's database.

    Args:
        settings: the database's URL, and the profile, which decides on the demo accounts.
        dataset: one of :data:`SIZES`.
        size: one of its sizes; ignored for a data set with one size.
        progress: receives the progress.
        today: the day before which all generated dates are, to get the same rows on another day.

    Raises:
        ConfigurationError: the data set or the size does not exist, the schema is missing, the database holds another
            data set, or the profile is production.
    """
    if not settings.is_lab:
        raise ConfigurationError(NO_DATA_SET)
    if dataset not in SIZES:
        raise ConfigurationError(f"There is no data set {dataset!r}; there are {', '.join(SIZES)}.")
    if len(SIZES[dataset]) == 1:
        (size,) = SIZES[dataset]
    if dataset == "demo":
        plan: LoadPlan = demo_plan(settings, size)
    else:
        from shop.datasets.complete_journey.plan import plan as complete_journey_plan  # its extra may not be installed

        plan = complete_journey_plan(settings)
    return load(settings, dataset, size, plan, progress or SilentProgress(), today=today)


def load(
    settings: Settings,
    dataset: str,
    size: str,
    plan: LoadPlan,
    progress: LoadProgress,
    *,
    today: date | None = None,
) -> LoadReport:
    """Run the steps of a plan that are not done yet.

    A load that was killed goes on with its own day, so all rows are those of a load in one go.

    Raises:
        ConfigurationError: the schema is missing, or the database holds another data set.
    """
    started = time.monotonic()
    with exclusive_connection(settings) as connection:
        present = loaded_dataset(connection)
        if present.kind != "empty" and (present.dataset, present.size) != (dataset, size):
            name = (
                "products of your own" if present.dataset == OWN else f"the data set {present.dataset} {present.size}"
            )
            raise ConfigurationError(
                f"This database holds {name.strip()}, and data sets do not mix: to load {dataset} {size}, stop the"
                " stack and move var/pg away, or set DATABASE_URL to an empty database."
            )
        if present.kind == "complete":
            row = connection.execute("SELECT report FROM datasets").fetchone()
            findings = tuple(SourceFinding(**entry) for entry in row[0]) if row else ()
            return LoadReport(dataset, size, 0, time.monotonic() - started, True, findings)
        connection.execute(
            "INSERT INTO datasets (name, size, started_at) VALUES (%s, %s, coalesce(%s::date::timestamp AT TIME ZONE"
            " 'UTC', now())) ON CONFLICT DO NOTHING",
            (dataset, size, today),
        )
        rows = _run_steps(connection, plan, progress)
        findings = tuple(plan.findings())
        report = json.dumps([finding.to_json() for finding in findings])
        with connection.transaction():
            for table in TABLES_WITH_IDS:
                continue_numbering(connection, table)
            connection.execute("UPDATE datasets SET completed_at = clock_timestamp(), report = %s", (report,))
        # The first requests then have index-only scans and correct estimates of the planner.
        connection.execute("VACUUM (ANALYZE)")
    progress.finish()
    return LoadReport(dataset, size, rows, time.monotonic() - started, False, findings)


def dataset_state(engine: Engine) -> DatasetState:
    """Return the data set of a database, and whether it is complete. A database without the schema is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("datasets"):
            return DatasetState("empty")
        row = connection.execute(text("SELECT name, size, completed_at IS NOT NULL FROM datasets")).one_or_none()
    return DatasetState("complete" if row[2] else "partial", row[0], row[1]) if row else DatasetState("empty")


def choose_dataset(settings: Settings, dataset: str | None, size: str | None) -> tuple[str, str]:
    """Return the data set and size to load: the requested ones, else the ones being loaded, else the defaults.

    Raises:
        ConfigurationError: the database does not answer, or the data set does not have the size.
    """
    engine = build_engine(settings)
    try:
        present = dataset_state(engine)
    except OperationalError as error:
        raise ConfigurationError(f"The database does not answer: {str(error.orig).strip().splitlines()[-1]}") from error
    finally:
        engine.dispose()
    started = present.dataset if present.dataset in SIZES else None
    dataset = dataset or started or DEFAULT_DATASET
    if size is not None:
        require_size(dataset, size)
    return dataset, size or (present.size if dataset == present.dataset else None) or DEFAULT_SIZE


def prepare_own_catalogue(settings: Settings) -> bool:
    """Add the demo accounts, in the lab profile, to a store with an imported catalogue and without a data set.

    Args:
        settings: the database's URL, and the profile.

    Returns:
        Whether the store has an imported catalogue; any other store is not changed.

    Raises:
        ConfigurationError: the schema is missing.
    """
    with exclusive_connection(settings) as connection:
        if loaded_dataset(connection).dataset != OWN:
            return False
        for account in (SHOPPER, ADMIN) if settings.is_lab else ():
            connection.execute(
                "INSERT INTO users (email, name, password_hash, role) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (account.email, account.name, hash_password(DEMO_PASSWORD), account.role),
            )
    return True


def loaded_dataset(connection: Connection) -> DatasetState:
    """Return the data set of a migrated database. Products without a data set are the owner's own catalogue."""
    row = connection.execute("SELECT name, size, completed_at IS NOT NULL FROM datasets").fetchone()
    if row:
        return DatasetState("complete" if row[2] else "partial", row[0], row[1])
    if connection.execute("SELECT 1 FROM products LIMIT 1").fetchone():
        return DatasetState("complete", OWN, "")
    return DatasetState("empty")


@contextmanager
def exclusive_connection(settings: Settings) -> Iterator[Connection]:
    """Open a connection in autocommit mode that holds the loading lock until it is closed.

    Raises:
        ConfigurationError: the database is not configured, does not answer, is read-only, or has no tables.
    """
    if settings.database_url is None:
        raise ConfigurationError("No database: start the stack with `bin/shop up`, or set DATABASE_URL.")
    address = sqlalchemy_url(settings.database_url)
    parameters = connection_parameters(settings.database_url)
    parameters |= {"connect_timeout": settings.db_connect_timeout_s, "application_name": "shop seed"}

    def connect() -> StoreConnection:
        return StoreConnection.open(autocommit=True, **parameters)

    try:
        connection = SessionSetup({}, safe_url(address)).connect(connect)
    except psycopg.OperationalError as error:
        raise ConfigurationError(f"The database does not answer: {str(error).strip().splitlines()[-1]}") from error
    with connection:
        require_writable(connection, safe_url(address))
        connection.lift_limits(for_good=True)
        if connection.execute("SELECT to_regclass('datasets')").fetchone() == (None,):
            raise ConfigurationError("The database has no tables yet, or old ones: run `bin/shop migrate`.")
        connection.execute("SELECT pg_advisory_lock(%s)", (LOADING_LOCK,))  # closing the connection releases it
        yield connection


def _run_steps(connection: Connection, plan: LoadPlan, progress: LoadProgress) -> int:
    done = {name for (name,) in connection.execute("SELECT name FROM seed_steps").fetchall()}
    progress.start(0, 0)
    progress.step("reading the source")
    steps = plan.steps(_day_begun(connection))
    rows_done = sum(step.rows for step in steps if step.name in done)
    progress.start(sum(step.rows for step in steps), rows_done)
    total = 0
    for step in steps:
        if step.name in done:
            continue
        progress.step(step.name)
        with connection.transaction():
            rows = step.run(connection, progress.advance)
            connection.execute("INSERT INTO seed_steps (name, rows) VALUES (%s, %s)", (step.name, rows))
        total += rows
    return total


def _day_begun(connection: Connection) -> date:
    """Return the day, in UTC, on which the load of this database was begun."""
    row = connection.execute("SELECT (started_at AT TIME ZONE 'UTC')::date FROM datasets").fetchone()
    if row is None:
        raise RuntimeError("the data set has no row in the table datasets")
    day: date = row[0]
    return day
