"""Staged rows on their way into the store, a batch a transaction.

Problem: one transaction over a large file holds the rows of the stock for minutes, and every buyer of one of those
products is turned away; and two transactions that lock the same rows in different orders deadlock.
Method: batches of a few hundred rows. Each is committed together with the line it came to, so a run that was stopped is
continued by the same file. Within a batch the stock comes last and is locked in the order of product ids, as every
checkout locks it. A transaction that lost a race all the same is run again.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import TextClause, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from shop.catalog import tags
from shop.catalog.categories import tree as shelves
from shop.database.errors import TransactionConflict
from shop.database.transactions import Database
from shop.datasets.importing.changes import ChangedTags
from shop.datasets.importing.entry import UNBRANDED
from shop.datasets.importing.report import ImportReport
from shop.datasets.plan import Connection
from shop.datasets.progress import LoadProgress

BATCH_ROWS = 500
"""Rows a transaction: a buyer who meets one waits for a tenth of a second, not for the file."""
BOUNDS = text("""
    SELECT min(line), max(line), count(*)
    FROM (SELECT line FROM incoming WHERE line > :after ORDER BY line LIMIT :rows) AS batch
""")
LOCK_PRODUCTS = text("""
    SELECT products.id, products.slug, products.category_id FROM products JOIN incoming ON product_id = products.id
    WHERE line BETWEEN :first AND :last ORDER BY products.id FOR NO KEY UPDATE OF products
""")
CHANGE = text("""
    UPDATE products AS present SET title = told.title, brand = told.brand, description = told.description,
        price_amount = told.price, category_id = told.category_id
    FROM (
        SELECT products.id, coalesce(incoming.title, products.title) AS title,
            coalesce(incoming.brand, products.brand) AS brand,
            coalesce(incoming.description, products.description) AS description,
            coalesce(incoming.price, products.price_amount) AS price,
            coalesce(incoming.category_id, products.category_id) AS category_id
        FROM incoming JOIN products ON products.id = product_id WHERE line BETWEEN :first AND :last
    ) AS told
    WHERE present.id = told.id
        AND (present.title, present.brand, present.description, present.price_amount, present.category_id)
        IS DISTINCT FROM (told.title, told.brand, told.description, told.price, told.category_id)
    RETURNING present.id, present.slug, present.category_id
""")
ADD = text("""
    WITH added AS (
        INSERT INTO products (slug, category_id, title, brand, description, price_amount)
        SELECT slug, category_id, title, coalesce(brand, :unbranded), coalesce(description, ''), price FROM incoming
        WHERE product_id IS NULL AND line BETWEEN :first AND :last
            AND NOT EXISTS (SELECT FROM former_slugs WHERE former_slugs.slug = incoming.slug)
        ORDER BY line
        ON CONFLICT (slug) DO NOTHING RETURNING id, slug, category_id
    ), numbered AS (
        UPDATE incoming SET product_id = added.id FROM added
        WHERE incoming.slug = added.slug AND line BETWEEN :first AND :last
    )
    SELECT id, slug, category_id FROM added
""")
LATE = text("DELETE FROM incoming WHERE product_id IS NULL AND line BETWEEN :first AND :last RETURNING line, slug")
"""Rows of new products whose slug somebody else has taken since the file was judged."""
LOCK_STOCK = text("""
    SELECT product_id, stock_items.on_hand > reserved FROM stock_items JOIN incoming USING (product_id)
    WHERE incoming.on_hand IS NOT NULL AND line BETWEEN :first AND :last ORDER BY product_id FOR UPDATE OF stock_items
""")
COUNT_STOCK = text("""
    INSERT INTO stock_items AS present (product_id, on_hand, received)
    SELECT product_id, coalesce(on_hand, 0), coalesce(on_hand, 0) FROM incoming
    WHERE (on_hand IS NOT NULL OR product_id = ANY(:added)) AND line BETWEEN :first AND :last ORDER BY product_id
    ON CONFLICT (product_id) DO UPDATE SET on_hand = greatest(EXCLUDED.on_hand, present.reserved),
        received = present.received + greatest(EXCLUDED.on_hand, present.reserved) - present.on_hand
        WHERE present.on_hand <> greatest(EXCLUDED.on_hand, present.reserved)
    RETURNING product_id, on_hand > reserved
""")
"""A number on hand below what checkouts under way were promised is raised to it: the promise counts."""
NOTE = text("""
    INSERT INTO seed_steps (name, rows) VALUES (:name, :last)
    ON CONFLICT (name) DO UPDATE SET rows = EXCLUDED.rows, completed_at = clock_timestamp()
""")
Batch = dict[str, int]
"""The first and the last line of a batch."""
Placed = tuple[int, str, int]
"""A product's id and slug, and the id of its category."""


class BatchImporter:
    """Takes the rows of the table ``incoming`` into the store.

    Args:
        connection: the one that has the table.
        step: the name under which the line of the last committed batch is noted.
        report: told of every committed batch.
        changes: told what it changed.
        progress: told of the rows that were taken.
    """

    def __init__(
        self, connection: Connection, step: str, report: ImportReport, changes: ChangedTags, progress: LoadProgress
    ) -> None:
        self.database = _on(connection)
        self.last_line = 0
        """The last line that is committed."""
        self._step = step
        self._report = report
        self._changes = changes
        self._progress = progress

    def run(self, after: int) -> None:
        """Take all rows behind a line.

        Raises:
            ServiceUnavailable: the database went away, or a batch lost every race.
        """
        self.last_line = after
        while self.database.run_in_transaction(self._take):
            pass

    def _take(self, session: Session) -> bool:
        bounds = {"after": self.last_line, "rows": BATCH_ROWS}
        first, last, rows = session.execute(BOUNDS, bounds).one()
        if not rows:
            return False
        batch = {"first": first, "last": last}
        before = _placed(session.execute(LOCK_PRODUCTS, batch))
        changed = _placed(session.execute(CHANGE, batch))
        added = _added(session, batch)
        late = [(line, slug) for line, slug in session.execute(LATE, batch)]
        could_be_had = _stock(session, LOCK_STOCK, batch)
        counted = _stock(session, COUNT_STOCK, {**batch, "added": list(added)})
        crossed = {one for one, can_be_had in counted.items() if can_be_had != could_be_had.get(one, False)}
        session.execute(NOTE, {"name": self._step, "last": last})
        touched = before.keys() & (changed.keys() | counted.keys())
        shown = before.keys() & (changed.keys() | crossed)  # how many pieces there are is shown by nothing that is kept
        ended = _ended(session, [*added.values(), *changed.values(), *(before[one] for one in shown)])
        moved = any(before[one][2] != category for one, _, category in changed.values())
        if added or moved:
            ended.add(tags.CATEGORIES)  # the tree says how many products stand in each

        def settle() -> None:
            self.last_line = last
            self._report.created += len(added)
            self._report.updated += len(touched)
            self._report.unchanged += len(before) - len(touched)
            for line, slug in late:
                self._report.withdraw(line, f"slug {slug!r} was taken by somebody else meanwhile: import again")
            self._changes.add(ended)
            self._progress.advance(rows)

        Database.after_commit(session, settle)
        return True


def _added(session: Session, batch: Batch) -> dict[int, Placed]:
    try:
        return _placed(session.execute(ADD, {**batch, "unbranded": UNBRANDED}))
    except IntegrityError as error:  # a product was renamed away from one of the slugs at this moment
        raise TransactionConflict from error


def _on(connection: Connection) -> Database:
    """Return transactions on one open connection, where they see its temporary tables."""
    connection.autocommit = False
    return Database(create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool))


def _placed(rows: Iterable[tuple[int, str, int]]) -> dict[int, Placed]:
    return {number: (number, slug, category) for number, slug, category in rows}


def _stock(session: Session, statement: TextClause, given: Mapping[str, object]) -> dict[int, bool]:
    """Return of each product a statement names whether it can be had."""
    return dict(session.execute(statement, given).all())


def _ended(session: Session, products: Iterable[Placed]) -> set[str]:
    tree = shelves.load(session)
    return {
        tag
        for _, slug, category in products
        for tag in tags.of_change(slug, [shelf.slug for shelf in tree.path(category)])
    }
