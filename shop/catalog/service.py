"""The catalogue's use cases, called by its pages and its API."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from shop.catalog import adding, editing, inventory, products, reviewing, sitemap, tags
from shop.catalog.adding import NewProduct
from shop.catalog.cached_responses import Build, CachedResponses, deserialize, entity_tag, serialize
from shop.catalog.categories import tree
from shop.catalog.editing import ProductChange
from shop.catalog.inventory import InventoryPage, StockedProduct
from shop.catalog.listing.product_lister import ListQuery
from shop.catalog.product_page import ProductPage, TemplateData
from shop.catalog.schemas import ProductListing, ProductRecord, RelatedProducts, ReviewDetail, StockLevel
from shop.catalog.screens import ScreenBuilder
from shop.catalog.sitemap import SitemapPage, SitemapPart
from shop.catalog.slugs import validate_slug
from shop.database.transactions import Database
from shop.errors import PreconditionFailed
from shop.patterns.caching import CATALOGUE, REFERENCE, CacheableResponse, CacheClient, TaggedValue
from shop.web.preconditions import IfMatch

REVIEWS_PER_PAGE = 20
SUGGESTIONS_SHOWN = 4
"""Popular products to show when a search finds nothing."""
CHANGED_MEANWHILE = "This product has changed since you loaded it. Reload it and try again."


class CatalogService:
    """Reads products, lists and reviews, and changes them.

    A public response is the same for every client. It is serialized once, to JSON or HTML, and its bytes are cached; a
    cache hit uses neither the database nor a model.

    Args:
        database: stores the products.
        cache: receives the tags of each change.
        responses: reads public responses through the cache.
        screens: builds the screens.
        product_page: fills the product page.
    """

    def __init__(
        self,
        database: Database,
        cache: CacheClient,
        responses: CachedResponses,
        screens: ScreenBuilder,
        product_page: ProductPage,
    ) -> None:
        self._database = database
        self._cache = cache
        self._responses = responses
        self._screens = screens
        self.product_page = product_page

    def product_screen(self, slug: str) -> CacheableResponse:
        """Return all data of the product page; see :class:`schemas.ProductScreen`.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        name = validate_slug(slug)
        return self._responses.product_part_with_related("screen", name, lambda: self._screens.product(name))

    def product(self, slug: str) -> CacheableResponse:
        """Return one product; see :class:`schemas.ProductDetail`.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        name = validate_slug(slug)
        return self._responses.product_part("core", name, self._core(name))

    def read_product(self, slug: str) -> dict[str, Any]:
        """Return one product as :meth:`product` does, deserialized.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        return deserialize(self.product(slug))

    def rating(self, slug: str) -> CacheableResponse:
        """Return the summary of a product's ratings; see :class:`schemas.RatingSummary`.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        name = validate_slug(slug)
        return self._responses.product_part("rating", name, self._rating(name))

    def related(self, slug: str) -> CacheableResponse:
        """Return the products that shoppers bought with a product; see :class:`schemas.RelatedProducts`.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        name = validate_slug(slug)

        def load(session: Session) -> RelatedProducts:
            return RelatedProducts(items=self._screens.also_bought(session, products.find_id(session, name)))

        return self._responses.product_part_with_related("related", name, self._responses.in_read_transaction(load))

    def reviews(self, slug: str, limit: int = REVIEWS_PER_PAGE, cursor: str | None = None) -> CacheableResponse:
        """Return a page of a product's reviews; only first pages are cached. See :class:`schemas.ReviewPage`.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
            InvalidFields: the cursor does not belong to this list.
        """
        name = validate_slug(slug)
        build = self._reviews(name, limit, cursor)
        if cursor is not None:
            return CacheableResponse(serialize(build()), CATALOGUE, (tags.product(name), tags.CATALOGUE))
        return self._responses.product_part(f"reviews:{limit}", name, build)

    def product_with_reviews(
        self, slug: str, cursor: str | None = None
    ) -> tuple[CacheableResponse, CacheableResponse, CacheableResponse]:
        """Return a product, its rating and a page of its reviews, read from the cache in one round trip.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
            InvalidFields: the cursor does not belong to this list.
        """
        name = validate_slug(slug)
        parts = {"core": self._core(name), "rating": self._rating(name)}
        if cursor is None:
            parts[f"reviews:{REVIEWS_PER_PAGE}"] = self._reviews(name, REVIEWS_PER_PAGE, None)
        product, rating, *reviews = self._responses.product_parts(name, parts)
        return product, rating, reviews[0] if reviews else self.reviews(name, cursor=cursor)

    def stock(self, slug: str) -> StockLevel:
        """Return the number of pieces that can be bought now; never from a cache.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        with self._database.reading() as session:
            return products.stock(session, validate_slug(slug))

    def listing(self, list_query: ListQuery) -> CacheableResponse:
        """Return one page of a list; see :class:`schemas.ProductListing`.

        Only the first page of a whole category is cached. Combinations of filters and typed words are too many, and
        the same one is seldom requested twice: they would evict the useful entries. A search without a match is cached
        for seconds (negative caching), because it costs the most queries: it also tries other spellings.

        Raises:
            NotFound: there is no such category.
            InvalidFields: the sort order or the cursor does not fit the list.
        """
        list_query = list_query.normalised()

        def load(session: Session) -> ProductListing:
            return self._screens.lister.listing(session, list_query)

        if list_query.q and list_query.cursor is None:
            return self._responses.search_results(list_query, self._responses.in_read_transaction(load))
        if not list_query.is_cacheable:
            return self._responses.uncached(list_query, self._responses.in_read_transaction(load))
        return self._responses.category_part("listing", list_query, self._responses.in_read_transaction(load))

    def category_screen(self, list_query: ListQuery) -> CacheableResponse:
        """Return all data of the category page; see :class:`schemas.CategoryScreen`. Cached like :meth:`listing`.

        Raises:
            NotFound: there is no such category.
            InvalidFields: the sort order or the cursor does not fit the list.
        """
        list_query = list_query.normalised()
        validate_slug(list_query.category or "")
        if not list_query.is_cacheable:
            return self._responses.uncached(list_query, lambda: self._screens.category(list_query))
        return self._responses.category_part("screen:category", list_query, lambda: self._screens.category(list_query))

    def home_screen(self) -> CacheableResponse:
        """Return all data of the home page; see :class:`schemas.HomeScreen`."""
        return self._responses.get_or_build("screen:home", CATALOGUE, [tags.HOME, tags.CATEGORIES], self._screens.home)

    def suggestions(self) -> list[dict[str, Any]]:
        """Return a few best-selling products, to show when a search finds nothing."""
        response = self._responses.get_or_build(
            "suggestions", CATALOGUE, [tags.HOME], lambda: self._screens.popular(SUGGESTIONS_SHOWN)
        )
        items: list[dict[str, Any]] = deserialize(response)["items"]
        return items

    def categories(self) -> CacheableResponse:
        """Return the category tree; see :class:`schemas.CategoryTree`."""
        return self._responses.get_or_build("categories", REFERENCE, [tags.CATEGORIES], self._screens.tree)

    def departments(self) -> list[dict[str, Any]]:
        """Return the category tree for the menu of the pages."""
        items: list[dict[str, Any]] = deserialize(self.categories())["items"]
        return items

    def sitemap_parts(self) -> list[SitemapPart]:
        """Return the parts of the sitemap that list products."""
        with self._database.reading() as session:
            return sitemap.list_parts(session)

    def sitemap_part(self, number: int) -> list[SitemapPage]:
        """Return the product pages of one part of the sitemap.

        Raises:
            NotFound: there is no such part.
        """
        with self._database.reading() as session:
            return sitemap.list_pages(session, number)

    def cached_page(self, key: str, page_tags: Sequence[str], render: Callable[[], str]) -> CacheableResponse:
        """Return the HTML of a public page, read through the cache.

        Args:
            key: of the page in the cache.
            page_tags: on which the page depends. The tag of the menu is added.
            render: renders the page on a cache miss.
        """
        return self._responses.get_or_load(f"page:{key}", CATALOGUE, _page_tags(page_tags), lambda: render().encode())

    def cached_product_page(self, slug: str, render: Callable[[str, TemplateData], str]) -> CacheableResponse:
        """Return the HTML of a product's page, read through the cache; it depends on the tags of its data, too.

        Args:
            slug: of the product.
            render: takes the name of a template and its data, and returns the page.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        name, product_page = validate_slug(slug), self.product_page
        page_tags = _page_tags([tags.product(name)])

        def load() -> bytes:
            response = product_page.load(self, name)
            html = render(product_page.template, product_page.template_data(response)).encode()
            return TaggedValue(html, [tag for tag in response.tags if tag not in page_tags])

        key = f"page:product:{product_page.name}:{name}"
        return self._responses.get_or_load(key, CATALOGUE, page_tags, load, finds_tags=True)

    def effective_tags(self, page_tags: Sequence[str]) -> tuple[str, ...]:
        """Return the tags that can invalidate an uncached page with these tags and a menu."""
        return self._responses.effective_tags(_page_tags(page_tags))

    def write_review(self, slug: str, user_id: int, author: str, rating: int, body: str) -> ReviewDetail:
        """Add an account's review of a product.

        Raises:
            NotFound: there is no such product.
            StateConflict: the account has already reviewed it.
        """
        name = validate_slug(slug)
        with self._database.transaction() as session:
            product = products.find(session, name)
            review = reviewing.add_review(session, product.id, user_id, author, rating, body)
            self._invalidate_after_commit(session, name, product.category_id)
        return review

    def has_reviewed(self, slug: str, user_id: int) -> bool:
        """Tell whether an account has reviewed a product.

        Raises:
            NotFound: there is no such product.
        """
        with self._database.reading() as session:
            return reviewing.has_reviewed(session, products.find_id(session, validate_slug(slug)), user_id)

    def inventory(self, words: str, cursor: str | None, stock_filter: str = inventory.ALL) -> InventoryPage:
        """Return a page of products with their current stock; see :func:`inventory.find_page`.

        Raises:
            InvalidFields: the cursor does not belong to this list.
        """
        with self._database.reading() as session:
            return inventory.find_page(session, words, cursor, stock_filter)

    def stocked_product(self, slug: str) -> StockedProduct:
        """Return a product with its current stock.

        Raises:
            NotFound: there is no such product.
        """
        with self._database.reading() as session:
            return inventory.find(session, validate_slug(slug))

    def record(self, slug: str) -> ProductRecord:
        """Return the current product in the form that an administrator edits.

        Raises:
            NotFound: there is no such product.
        """
        return self.stocked_product(slug).record

    def edit(self, slug: str, change: ProductChange, condition: IfMatch | None = None) -> ProductRecord:
        """Change a product, and return the changed product.

        The transaction locks the product before it reads it, so no other edit comes between comparison and write.

        Args:
            slug: of the product.
            change: the fields to write.
            condition: compared with the product's current ``ETag``; no condition by default.

        Raises:
            NotFound, ProductRenamed: no product has this slug now.
            PreconditionFailed: the product's ``ETag`` does not match the condition.
            StateConflict: another edit has changed a field meanwhile, the new count is below the reserved pieces, or
                the new slug is taken.
        """
        name = validate_slug(slug)

        def work(session: Session) -> ProductRecord:
            editing.lock_product(session, name, change)
            row = inventory.find(session, name)
            if condition is not None and not condition.allows(entity_tag(row.record)):
                raise PreconditionFailed(CHANGED_MEANWHILE)
            if conflicts := editing.conflicting_fields(editing.stored_values(row), change):
                raise editing.EditConflict(CHANGED_MEANWHILE, errors=dict.fromkeys(conflicts, "changed meanwhile"))
            editing.apply_change(session, row.id, change)
            changed = inventory.find(session, change.slug or name)
            # No table lists the responses that show a product. So a withdrawal or a rename invalidates all of them.
            moved = (changed.slug, changed.is_withdrawn) != (row.slug, row.is_withdrawn)
            if changed.public_fields != row.public_fields or not change.is_count:
                further = [tags.CATALOGUE] if moved else []
                self._invalidate_after_commit(session, changed.slug, changed.category_id, further)
            return changed.record

        return self._database.run_in_transaction(work)

    def add(self, new: NewProduct) -> ProductRecord:
        """Add a new product to the catalogue.

        Raises:
            InvalidFields: there is no such category.
            StateConflict: the slug is or was that of another product.
        """

        def work(session: Session) -> ProductRecord:
            adding.add(session, new)
            row = inventory.find(session, new.slug)
            # The category tree counts its products.
            self._invalidate_after_commit(session, row.slug, row.category_id, [tags.CATEGORIES])
            return row.record

        return self._database.run_in_transaction(work)

    def _invalidate_after_commit(
        self, session: Session, slug: str, category_id: int, further: Sequence[str] = ()
    ) -> None:
        path = tree.load(session).path(category_id)
        changed_tags = [*tags.of_change(slug, [category.slug for category in path]), *further]
        refills = (lambda: self.product(slug), lambda: self.product_screen(slug))
        Database.after_commit(session, lambda: self._cache.on_write(changed_tags, refills))

    def _core(self, name: str) -> Build:
        return self._responses.in_read_transaction(lambda session: products.find(session, name).product)

    def _rating(self, name: str) -> Build:
        return self._responses.in_read_transaction(
            lambda session: products.rating(session, products.find_id(session, name))
        )

    def _reviews(self, name: str, limit: int, cursor: str | None) -> Build:
        return self._responses.in_read_transaction(
            lambda session: products.reviews(session, products.find_id(session, name), limit, cursor)
        )


def _page_tags(own_tags: Sequence[str]) -> list[str]:
    """Return the tags of a page: its own, and that of the menu on every page."""
    return list(dict.fromkeys([*own_tags, tags.CATEGORIES, tags.CATALOGUE]))
