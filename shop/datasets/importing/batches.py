"""Import of the staged rows in batches, one transaction for each batch.

Problem: one transaction for a large file would lock stock rows for minutes, and every checkout of those products would
fail. And two transactions that lock the same rows in different orders deadlock.
Method: batches of a few hundred rows. Each batch is committed together with its last line, so a second run with the
same file resumes a stopped run. A batch locks stock rows last, and in the order of product ids, as every checkout does.
A transaction that still meets a conflict is retried.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import TextClause, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from shop.catalog import tags
from shop.catalog.categories import tree
from shop.database.errors import TransactionConflict
from shop.database.transactions import Database
from shop.datasets.importing.changes import ChangedTags
from shop.datasets.importing.entry import UNBRANDED
from shop.datasets.importing.report import ImportReport
from shop.datasets.plan import Connection
from shop.datasets.progress import LoadProgress

BATCH_ROWS = 500
"""Rows of a transaction: a checkout that waits for its locks waits for a tenth of a second."""
BOUNDS = text("""
    SELECT min(line), max(line), count(*)
    FROM (SELECT line FROM incoming WHERE line > :after ORDER BY line LIMIT :rows) AS batch
""")
LOCK_PRODUCTS = text("""
    SELECT products.id, products.slug, products.category_id FROM products JOIN incoming ON product_id = products.id
    WHERE line BETWEEN :first AND :last ORDER BY products.id FOR NO KEY UPDATE OF products
""")
CHANGE = text("""
    UPDATE products AS present SET title = desired.title, brand = desired.brand, description = desired.description,
        price_amount = desired.price, category_id = desired.category_id
    FROM (
        SELECT products.id, coalesce(incoming.title, products.title) AS title,
            coalesce(incoming.brand, products.brand) AS brand,
            coalesce(incoming.description, products.description) AS description,
            coalesce(incoming.price, products.price_amount) AS price,
            coalesce(incoming.category_id, products.category_id) AS category_id
        FROM incoming JOIN products ON products.id = product_id WHERE line BETWEEN :first AND :last
    ) AS desired
    WHERE present.id = desired.id
        AND (present.title, present.brand, present.description, present.price_amount, present.category_id)
        IS DISTINCT FROM (desired.title, desired.brand, desired.description, desired.price, desired.category_id)
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
"""Rows of new products whose slug was taken after the file was checked."""
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
"""A number on hand below the reserved pieces is raised to it: pending checkouts keep their reservations."""
RECORD_LINE = text("""
    INSERT INTO seed_steps (name, rows) VALUES (:name, :last)
    ON CONFLICT (name) DO UPDATE SET rows = EXCLUDED.rows, completed_at = clock_timestamp()
""")

ProductKeys = tuple[int, str, int]
"""A product's id and slug, and the id of its category."""


class BatchImporter:
    """Imports the rows of the table ``incoming`` into the store.

    Args:
        connection: the connection with the temporary table.
        step: the name in ``seed_steps`` of the last committed line.
        report: counts the rows of every committed batch.
        changes: collects the tags of changed products.
        progress: receives the number of imported rows.
    """

    def __init__(
        self, connection: Connection, step: str, report: ImportReport, changes: ChangedTags, progress: LoadProgress
    ) -> None:
        connection.autocommit = False
        # All transactions use the connection that has the temporary table.
        self.database = Database(
            create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
        )
        self.last_line = 0
        """The last committed line."""
        self._step = step
        self._report = report
        self._changes = changes
        self._progress = progress

    def run(self, after: int) -> None:
        """Import all rows after a line.

        Raises:
            ServiceUnavailable: the database is not available, or every retry of a batch met a conflict.
        """
        self.last_line = after
        while self.database.run_in_transaction(self._import_batch):
            pass

    def _import_batch(self, session: Session) -> bool:
        bounds = {"after": self.last_line, "rows": BATCH_ROWS}
        first, last, rows = session.execute(BOUNDS, bounds).one()
        if not rows:
            return False
        batch = {"first": first, "last": last}
        existing = _by_id(session.execute(LOCK_PRODUCTS, batch))
        changed = _by_id(session.execute(CHANGE, batch))
        try:
            added = _by_id(session.execute(ADD, {**batch, "unbranded": UNBRANDED}))
        except IntegrityError as error:  # a concurrent rename has just released one of the slugs
            raise TransactionConflict from error
        late = session.execute(LATE, batch).all()
        was_available = _availability(session, LOCK_STOCK, batch)
        is_available = _availability(session, COUNT_STOCK, {**batch, "added": list(added)})
        session.execute(RECORD_LINE, {"name": self._step, "last": last})
        updated = existing.keys() & (changed.keys() | is_available.keys())
        toggled = {product for product, now in is_available.items() if now != was_available.get(product, False)}
        stale = existing.keys() & (changed.keys() | toggled)  # no cached value shows the number of pieces
        changed_tags = _tags(session, [*added.values(), *changed.values(), *(existing[product] for product in stale)])
        moved = any(existing[product][2] != category for product, _, category in changed.values())
        if added or moved:
            changed_tags.add(tags.CATEGORIES)  # the category tree shows the number of products of each category

        def report() -> None:
            self.last_line = last
            self._report.created += len(added)
            self._report.updated += len(updated)
            self._report.unchanged += len(existing) - len(updated)
            for line, slug in late:
                self._report.withdraw(line, f"slug {slug!r} was taken in the meantime: import again")
            self._changes.add(changed_tags)
            self._progress.advance(rows)

        Database.after_commit(session, report)
        return True


def _by_id(rows: Iterable[tuple[int, str, int]]) -> dict[int, ProductKeys]:
    return {product_id: (product_id, slug, category) for product_id, slug, category in rows}


def _availability(session: Session, statement: TextClause, parameters: Mapping[str, object]) -> dict[int, bool]:
    """Return, for each product of the statement's result, whether it is available."""
    return dict(session.execute(statement, parameters).all())


def _tags(session: Session, products: Iterable[ProductKeys]) -> set[str]:
    categories = tree.load(session)
    return {
        tag
        for _, slug, category in products
        for tag in tags.of_change(slug, [ancestor.slug for ancestor in categories.path(category)])
    }
