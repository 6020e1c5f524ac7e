import hashlib
import signal
import subprocess
import sys
from datetime import date

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from shop.accounts.passwords import PasswordHashing
from shop.cli import main
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.datasets import loading
from shop.datasets.demo.sizes import SIZES
from shop.datasets.production import require_own_data
from shop.datasets.rows import COLUMNS
from shop.errors import ConfigurationError
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.orders.transitions import EventType, next_status
from shop.reconciliation.store import read_snapshot
from shop.stack.program import free_port

pytestmark = pytest.mark.xdist_group("seeding")  # one process, one database that is seeded for all
MADE_ANEW = {"password_hash"}
TODAY = date(2027, 3, 1)
KILLED = """
import os, signal, sys
from datetime import date
from shop.datasets import loading
from shop.datasets.progress import SilentProgress
from shop.settings import load_settings

class Killed(SilentProgress):
    at, left = None, int(sys.argv[3])
    def step(self, name): self.at = name
    def advance(self, rows):
        self.left -= self.at == sys.argv[1]
        if self.left == 0: os.kill(os.getpid(), signal.SIGKILL)

loading.seed(load_settings(database_url=sys.argv[2]), "demo", "s", Killed(), today=date.fromisoformat(sys.argv[4]))
"""


def checksum(url):
    """Everything that was loaded, in one number; a password's salt is new each time."""
    total = hashlib.sha256()
    with psycopg.connect(url) as connection:
        for table, columns in COLUMNS.items():
            names = ", ".join(column for column in columns if column not in MADE_ANEW)
            for row in connection.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2"):  # noqa: S608 - our own names
                total.update(repr(row).encode())
    return total.hexdigest()


def query(url, statement):
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def seeded(new_database, settings):
    found = settings.model_copy(update={"database_url": new_database("seeded")})
    loading.seed(found, "demo", "s", today=TODAY)
    return found


# the kill comes when one table of the step is full already and the next is being filled
@pytest.mark.parametrize(
    ("step", "word"), [pytest.param("products from 1", 3, marks=pytest.mark.long), ("orders 0", 12)]
)
def test_killed_load_resumes_to_the_same_rows(new_database, settings, seeded, step, word):
    url = new_database("killed")
    arguments = (step, url, str(word), TODAY.isoformat())
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    half = settings.model_copy(update={"database_url": url})
    engine = build_engine(half)
    assert loading.dataset_state(engine) == loading.DatasetState("partial", "demo", "s")
    engine.dispose()
    assert query(url, "SELECT count(*) FROM orders") == [(0,)]

    report = loading.seed(half, "demo", "s")  # on another day, with the dates of the day on which it was begun

    assert not report.already_there
    assert checksum(url) == checksum(seeded.database_url)


def test_seeding_again_changes_nothing(seeded):
    before = checksum(seeded.database_url)
    assert loading.seed(seeded, "demo", "s").already_there
    assert checksum(seeded.database_url) == before


def test_two_data_sets_are_never_mixed(seeded):
    with pytest.raises(ConfigurationError, match="holds the data set demo s"):
        loading.seed(seeded, "demo", "m")


def test_a_database_without_tables_says_what_to_run(new_database, settings):
    bare = settings.model_copy(update={"database_url": new_database("bare", template=None)})
    with pytest.raises(ConfigurationError, match="bin/shop migrate"):
        loading.seed(bare, "demo", "s")
    engine = build_engine(bare)
    assert loading.dataset_state(engine).kind == "empty"
    engine.dispose()


@pytest.mark.parametrize(("dataset", "size"), [("no-such", "s"), ("demo", "xxl")])
def test_an_unknown_data_set_or_size_names_those_there_are(seeded, dataset, size):
    with pytest.raises(ConfigurationError, match="there are"):
        loading.seed(seeded, dataset, size)


@pytest.mark.parametrize("command", [["up"], ["up", "--detach"], ["seed"]])
def test_size_of_single_size_data_set_is_refused(seeded, monkeypatch, tmp_path, command):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", seeded.database_url)
    monkeypatch.setenv("CACHE_URL", f"redis://127.0.0.1:{free_port()}/0")  # nothing starts from here
    done = CliRunner().invoke(main, [*command, "--dataset", "complete-journey", "--size", "s"])
    assert (done.exit_code, done.stderr) == (2, "shop: The data set complete-journey has one size: leave out --size.\n")


def test_size_is_checked_against_the_present_data_set(new_database, settings):
    held = settings.model_copy(update={"database_url": new_database("held")})
    with psycopg.connect(held.database_url) as connection:
        connection.execute("INSERT INTO datasets (name, size, completed_at) VALUES ('complete-journey', 'full', now())")
    with pytest.raises(ConfigurationError, match="has one size"):
        loading.choose_dataset(held, None, "s")
    assert loading.choose_dataset(held, None, None)[0] == "complete-journey"


def test_there_is_as_much_of_everything_as_the_size_says(seeded):
    size = SIZES["s"]
    counted = dict(
        query(
            seeded.database_url,
            "SELECT 'products', count(*) FROM products UNION ALL SELECT 'orders', count(*) FROM orders "
            "UNION ALL SELECT 'reviews', count(*) FROM reviews UNION ALL SELECT 'lines', count(*) FROM order_lines",
        )
    )
    assert (counted["products"], counted["orders"]) == (size.products, size.orders)
    assert counted["reviews"] == pytest.approx(size.reviews, rel=0.05)
    assert counted["lines"] == pytest.approx(3 * size.orders, rel=0.1)


@pytest.mark.parametrize(
    "never",
    [
        "SELECT id FROM products JOIN (SELECT product_id, count(*) AS n, sum(rating) AS stars FROM reviews"
        " GROUP BY 1) r ON r.product_id = id WHERE (n, stars) <> (rating_count, rating_sum)",
        "SELECT id FROM products WHERE rating_count > 0 AND id NOT IN (SELECT product_id FROM reviews)",
        "SELECT id FROM orders JOIN (SELECT order_id, sum(quantity * unit_price_amount) AS s FROM order_lines"
        " GROUP BY 1) l ON l.order_id = id WHERE s <> total_amount",
        "SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM order_lines)",
        "SELECT id FROM products LEFT JOIN (SELECT product_id, sum(quantity) AS sold FROM order_lines JOIN orders ON"
        " orders.id = order_id WHERE status NOT IN ('cancelled', 'refunded') GROUP BY 1) s ON s.product_id = id"
        " WHERE coalesce(sold, 0) <> popularity",
        "SELECT id FROM products WHERE id NOT IN (SELECT product_id FROM stock_items)",
        "SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id WHERE p.amount <> o.total_amount OR"
        " (o.status IN ('paid', 'shipped', 'delivered')) <> (p.status = 'charged')",
        "SELECT order_id FROM order_events GROUP BY 1 HAVING max(version) <> count(*)",
        "SELECT e.order_id FROM order_events e JOIN order_events f ON f.order_id = e.order_id"
        " AND f.version = e.version + 1 WHERE f.recorded_at < e.recorded_at",
        "SELECT id FROM orders WHERE created_at NOT BETWEEN '2026-03-01Z' AND '2027-02-28 23:59:59Z'",
        "SELECT order_id FROM order_events WHERE recorded_at >= '2027-03-01Z'",
        "SELECT 1 WHERE (SELECT max(created_at) FROM reviews) NOT BETWEEN '2027-02-26Z' AND '2027-02-28 23:59:59Z'",
        "SELECT id FROM products WHERE created_at >= '2027-03-01Z'",
    ],
)
def test_the_loaded_rows_never_contradict_each_other(seeded, never):
    assert query(seeded.database_url, never) == []


def test_every_status_follows_from_its_events(seeded):
    stories = query(
        seeded.database_url,
        "SELECT DISTINCT status, story FROM orders JOIN (SELECT order_id, array_agg(type ORDER BY version) AS story"
        " FROM order_events GROUP BY 1) e ON e.order_id = id",
    )
    assert len(stories) >= 4
    for status, story in stories:
        stands = None
        for event in story:
            stands = next_status(stands, EventType(event))
        assert stands == status


def test_misspelt_words_have_something_to_be_mended_against(seeded):
    assert query(seeded.database_url, "SELECT products > 0 FROM search_words WHERE word = 'stoneware'") == [(True,)]


def test_demo_accounts_log_in_and_shopper_has_orders(seeded):
    accounts = query(
        seeded.database_url, "SELECT email, role, password_hash FROM users WHERE password_hash IS NOT NULL"
    )
    assert {(email, role) for email, role, _ in accounts} == {
        ("admin@shop.test", "admin"),
        ("shopper@shop.test", "customer"),
    }
    assert all(PasswordHashing().matches("let-me-shop", stored) for _, _, stored in accounts)
    assert query(
        seeded.database_url,
        "SELECT 1 FROM orders JOIN users ON users.id = user_id WHERE users.email ^@ 'shopper@' LIMIT 1",
    )


def test_production_is_given_nothing_invented(new_database, settings):
    url = new_database("production")
    production = settings.model_copy(update={"database_url": url, "profile": "production"})
    with pytest.raises(ConfigurationError, match="bin/shop import"):
        loading.seed(production, "demo", "s")
    assert query(url, "SELECT count(*) FROM users UNION ALL SELECT count(*) FROM datasets") == [(0,), (0,)]


def test_production_does_not_open_a_lab_s_database(seeded, new_database, settings):
    lab = build_engine(seeded)
    with pytest.raises(ConfigurationError, match="it holds the data set demo s"):
        require_own_data(lab)
    lab.dispose()
    own = build_engine(settings.model_copy(update={"database_url": new_database("own_data")}))
    require_own_data(own)
    with own.begin() as connection:
        connection.execute(
            text("INSERT INTO users (email, name, password_hash, role) VALUES (:email, 'Demo', 'a hash', 'admin')"),
            {"email": "admin@shop.test"},
        )
    with pytest.raises(ConfigurationError, match=r"admin@shop\.test, whose password is published"):
        require_own_data(own)
    own.dispose()


def test_new_rows_get_numbers_that_are_free(seeded):
    with psycopg.connect(seeded.database_url) as connection:
        connection.execute("INSERT INTO users (email, name) VALUES ('new@shop.test', 'new')")
        connection.rollback()


def test_the_command_says_what_is_there(seeded, monkeypatch):
    for name, value in seeded.as_environment().items():  # its state directory, too: the charges are handed over there
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["seed", "--json"])
    assert done.exit_code == 0
    assert '"already_there": true' in done.stdout


def test_loaded_rows_match_events_and_stock(seeded):
    engine = build_engine(seeded)
    try:
        found = ProjectionRebuilder(Database(engine)).verify()
    finally:
        engine.dispose()
    assert (found.orders, found.differences) == (SIZES["s"].orders, ())
    store = read_snapshot(seeded.database_url, 900)
    assert (store.stock, store.lines, store.summaries) == ([], [], [])
