"""Loading a data set: once, resumably, never mixed.

Problem: loading takes seconds to minutes and gets killed; started again it must neither repeat rows nor miss any.
Method: the data is cut into steps that come out the same whenever they are made. Each step commits its rows together
with its own name, so the names in ``seed_steps`` are exactly the steps whose rows are there. One process loads at a
time: the others wait for an advisory lock and then find everything done.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
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
from shop.datasets.plan import Connection, LoadPlan, LoadStep, SourceFinding, continue_numbering
from shop.datasets.production import NO_DATA_SET, OWN
from shop.datasets.progress import LoadProgress, SilentProgress
from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from shop.errors import ConfigurationError
from shop.settings import Settings

LOADING_LOCK = 7_411_905_234
"""Key of the advisory lock that makes two loading processes take turns."""
DEFAULT_DATASET, DEFAULT_SIZE = "demo", "m"
NUMBERED = ("categories", "users", "products", "reviews", "orders")


def _complete_journey(settings: Settings, size: str) -> LoadPlan:
    from shop.datasets.complete_journey.plan import plan  # its extra may not be installed

    return plan(settings)


@dataclass(frozen=True)
class DatasetSource:
    """A data set that can be loaded: its sizes, and how one of them is laid out."""

    sizes: tuple[str, ...]
    plan: Callable[[Settings, str], LoadPlan]


DATASETS: Mapping[str, DatasetSource] = MappingProxyType(
    {
        "demo": DatasetSource(SIZES["demo"], demo_plan),
        "complete-journey": DatasetSource(SIZES["complete-journey"], _complete_journey),
    }
)


@dataclass(frozen=True)
class DatasetState:
    """Which data a database holds."""

    kind: Literal["empty", "partial", "complete"]
    dataset: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class LoadReport:
    """What a load did."""

    dataset: str
    size: str
    rows: int
    """Rows loaded by this run."""
    seconds: float
    already_there: bool
    findings: tuple[SourceFinding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        shown = {"dataset": self.dataset, "size": self.size, "rows": self.rows, "seconds": round(self.seconds, 2)}
        return {
            **shown,
            "already_there": self.already_there,
            "findings": [finding.to_json() for finding in self.findings],
        }


def seed(settings: Settings, dataset: str, size: str, progress: LoadProgress | None = None) -> LoadReport:
    """Load a data set into the store's database, or what is missing of it.

    Args:
        settings: where the database is, and whether the demo accounts belong in it.
        dataset: one of :data:`DATASETS`.
        size: one of its sizes; a data set that has only one is loaded in that one.
        progress: told how far it is.

    Raises:
        ConfigurationError: no such data set or size, the schema is missing, the database holds other data, or the
            profile is production.
    """
    if not settings.is_lab:
        raise ConfigurationError(NO_DATA_SET)
    source = _source(dataset)
    size = size if len(source.sizes) > 1 else source.sizes[0]
    return load(settings, dataset, size, source.plan(settings, size), progress or SilentProgress())


def load(settings: Settings, dataset: str, size: str, plan: LoadPlan, progress: LoadProgress) -> LoadReport:
    """Take the steps of a plan that were not taken yet.

    Raises:
        ConfigurationError: the schema is missing, or the database holds other data.
    """
    started = time.monotonic()
    with exclusive(settings) as connection:
        there = standing(connection)
        _refuse_mixing(there, dataset, size)
        if there.kind == "complete":
            return LoadReport(dataset, size, 0, time.monotonic() - started, True, _kept_findings(connection))
        connection.execute("INSERT INTO datasets (name, size) VALUES (%s, %s) ON CONFLICT DO NOTHING", (dataset, size))
        rows = _take_all(connection, plan, progress)
        findings = tuple(plan.findings())
        _complete(connection, findings)
    progress.finish()
    return LoadReport(dataset, size, rows, time.monotonic() - started, False, findings)


def state(engine: Engine) -> DatasetState:
    """Return which data a database holds, and whether all of it is there; a database without the schema is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("datasets"):
            return DatasetState("empty")
        row = connection.execute(text("SELECT name, size, completed_at IS NOT NULL FROM datasets")).one_or_none()
    return DatasetState("complete" if row[2] else "partial", row[0], row[1]) if row else DatasetState("empty")


def chosen(settings: Settings, dataset: str | None, size: str | None) -> tuple[str, str]:
    """Return what to load: what was asked for, else what was begun, else the usual data set and size.

    Raises:
        ConfigurationError: the database does not answer, or the data set cannot be had in the size asked for.
    """
    engine = build_engine(settings)
    try:
        there = state(engine)
    except OperationalError as error:
        raise ConfigurationError(f"The database does not answer: {str(error.orig).strip().splitlines()[-1]}") from error
    finally:
        engine.dispose()
    begun = there.dataset if there.dataset in DATASETS else None
    dataset = dataset or begun or DEFAULT_DATASET
    if size is not None:
        require_size(dataset, size)
    return dataset, size or (there.size if dataset == there.dataset else None) or DEFAULT_SIZE


def open_own(settings: Settings) -> bool:
    """Make ready a store that sells its owner's catalogue, imported into a database without a data set.

    Args:
        settings: where the database is, and whether the demo accounts belong in it.

    Returns:
        Whether it is such a store; any other is left as it is.

    Raises:
        ConfigurationError: the schema is missing.
    """
    with exclusive(settings) as connection:
        if standing(connection).dataset != OWN:
            return False
        for account in (SHOPPER, ADMIN) if settings.is_lab else ():
            connection.execute(
                "INSERT INTO users (email, name, password_hash, role) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (account.email, account.name, hash_password(DEMO_PASSWORD), account.role),
            )
    return True


def _source(dataset: str) -> DatasetSource:
    if dataset not in DATASETS:
        raise ConfigurationError(f"There is no data set {dataset!r}; there are {', '.join(DATASETS)}.")
    return DATASETS[dataset]


def standing(connection: Connection) -> DatasetState:
    """Return which data a migrated database holds; products nobody seeded are the owner's own."""
    row = connection.execute("SELECT name, size, completed_at IS NOT NULL FROM datasets").fetchone()
    if row:
        return DatasetState("complete" if row[2] else "partial", row[0], row[1])
    if connection.execute("SELECT 1 FROM products LIMIT 1").fetchone():
        return DatasetState("complete", OWN, "")
    return DatasetState("empty")


def _refuse_mixing(standing: DatasetState, dataset: str, size: str) -> None:
    if standing.kind == "empty" or (standing.dataset, standing.size) == (dataset, size):
        return
    holds = "products of your own" if standing.dataset == OWN else f"the data set {standing.dataset} {standing.size}"
    raise ConfigurationError(
        f"This database holds {holds.strip()}, and data sets do not mix: to load {dataset} {size}, stop the stack "
        "and move var/pg away, or set DATABASE_URL to an empty database."
    )


@contextmanager
def exclusive(settings: Settings) -> Iterator[Connection]:
    """Open a connection, in autocommit, that has the loading of data to itself until it is closed.

    Raises:
        ConfigurationError: the database is not known, does not answer, takes no changes, or has no tables.
    """
    if settings.database_url is None:
        raise ConfigurationError("No database: start the stack with `shop up`, or set DATABASE_URL.")
    address = sqlalchemy_url(settings.database_url)
    given = connection_parameters(settings.database_url)
    given |= {"connect_timeout": settings.db_connect_timeout_s, "application_name": "shop seed"}

    def connect() -> StoreConnection:
        return StoreConnection.open(autocommit=True, **given)

    try:
        connection = SessionSetup({}, safe_url(address)).connect(connect)
    except psycopg.OperationalError as error:
        raise ConfigurationError(f"The database does not answer: {str(error).strip().splitlines()[-1]}") from error
    with connection:
        require_writable(connection, safe_url(address))
        connection.lift_limits(for_good=True)
        if connection.execute("SELECT to_regclass('datasets')").fetchone() == (None,):
            raise ConfigurationError("The database has no tables yet, or old ones: run `shop migrate`.")
        connection.execute("SELECT pg_advisory_lock(%s)", (LOADING_LOCK,))  # given back with the connection
        yield connection


def _take_all(connection: Connection, plan: LoadPlan, progress: LoadProgress) -> int:
    done = {name for (name,) in connection.execute("SELECT name FROM seed_steps").fetchall()}
    progress.start(0, 0)
    progress.step("reading the source")
    there = sum(step.rows for step in plan.steps if step.name in done)
    progress.start(sum(step.rows for step in plan.steps), there)
    return sum(_take(connection, step, progress) for step in plan.steps if step.name not in done)


def _take(connection: Connection, step: LoadStep, progress: LoadProgress) -> int:
    progress.step(step.name)
    with connection.transaction():
        rows = step.run(connection, progress.advance)
        connection.execute("INSERT INTO seed_steps (name, rows) VALUES (%s, %s)", (step.name, rows))
    return rows


def _complete(connection: Connection, findings: tuple[SourceFinding, ...]) -> None:
    """Do what needs all rows to be there, and say that they are."""
    report = json.dumps([finding.to_json() for finding in findings])
    with connection.transaction():
        for table in NUMBERED:
            continue_numbering(connection, table)
        connection.execute("UPDATE datasets SET completed_at = clock_timestamp(), report = %s", (report,))
    # index-only scans and the planner's estimates are right from the first request on
    connection.execute("VACUUM (ANALYZE)")


def _kept_findings(connection: Connection) -> tuple[SourceFinding, ...]:
    row = connection.execute("SELECT report FROM datasets").fetchone()
    return tuple(SourceFinding(**entry) for entry in row[0]) if row else ()
