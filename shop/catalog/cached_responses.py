"""The catalogue's answers that are the same for everybody: bytes of JSON, read through the cache."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from shop.catalog import tags
from shop.catalog.listing.list_bulkhead import ListBulkhead
from shop.catalog.listing.product_lister import ListQuery
from shop.catalog.schemas import ProductListing, ProductScreen, RelatedProducts
from shop.database.transactions import Database
from shop.patterns.caching import (
    CATALOGUE,
    NEGATIVE,
    SEARCH,
    CacheableResponse,
    CacheClient,
    CachePolicy,
    CacheRequest,
    DoNotCache,
    TaggedValue,
    digest,
    found_tags,
)

Answer = TypeVar("Answer", bound=BaseModel)
Build = Callable[[], BaseModel]
ShowsOthers = ProductScreen | RelatedProducts


class CachedResponses:
    """Builds an answer, or finds it kept: serialised once, and a hit touches neither the database nor a model.

    Args:
        database: what answers are built from.
        cache: what they are read through.
        bulkhead: bounds how many lists that are not kept are put together at once.
    """

    def __init__(self, database: Database, cache: CacheClient, bulkhead: ListBulkhead) -> None:
        self._database = database
        self._cache = cache
        self._bulkhead = bulkhead

    def in_read_transaction(self, load: Callable[[Session], Answer]) -> Callable[[], Answer]:
        """Return what builds an answer in a transaction that only reads."""

        def build() -> Answer:
            with self._database.reading() as session:
                return load(session)

        return build

    def cached(self, key: str, policy: CachePolicy, own: Sequence[str], build: Build) -> CacheableResponse:
        """Return an answer under a key, made from its own tags and from the catalogue as a whole."""
        return self.get_or_load(key, policy, [*own, tags.CATALOGUE], lambda: as_json(build()))

    def get_or_load(
        self,
        key: str,
        policy: CachePolicy,
        every: Sequence[str],
        load: Callable[[], bytes],
        *,
        finds_tags: bool = False,
    ) -> CacheableResponse:
        """Return the bytes under a key, made from these tags, and from those that the load finds where it may."""
        value = self._cache.get_or_load(key, policy, every, load, finds_tags=finds_tags)
        return CacheableResponse(value, policy, (*self._cache.effective_tags(every), *found_tags(value)), key)

    def effective_tags(self, every: Sequence[str]) -> tuple[str, ...]:
        """Return which of the tags can end an answer, however invalidation is switched."""
        return self._cache.effective_tags(every)

    def product_part(self, part: str, slug: str, build: Build) -> CacheableResponse:
        """Return one part of what there is to say of a product."""
        ask = _of_product(part, slug, build)
        return self.get_or_load(ask.key, ask.policy, ask.tags, ask.load)

    def product_part_with_related(self, part: str, slug: str, build: Callable[[], ShowsOthers]) -> CacheableResponse:
        """Return one part of what there is to say of a product that shows others as well; it ends with each of them."""

        def load() -> bytes:
            answer = build()
            return TaggedValue(as_json(answer), [tags.product(other) for other in answer.others])

        ask = _of_product(part, slug, build)
        return self.get_or_load(ask.key, ask.policy, ask.tags, load, finds_tags=True)

    def product_parts(self, slug: str, builds: Mapping[str, Build]) -> list[CacheableResponse]:
        """Return several parts, in the order given: what is kept of them is read in one round trip.

        Raises:
            NotFound: there is no such product.
        """
        asks = [_of_product(part, slug, build) for part, build in builds.items()]
        found = []
        for ask, value in zip(asks, self._cache.get_many(asks), strict=True):
            if value is None:  # asked alone, it says why: no such product, or no longer, or under another slug
                found.append(self.get_or_load(ask.key, ask.policy, ask.tags, ask.load))
            else:
                found.append(CacheableResponse(value, ask.policy, self._cache.effective_tags(ask.tags), ask.key))
        return found

    def category_part(self, part: str, browse: ListQuery, build: Build) -> CacheableResponse:
        """Return one part of what there is to say of a category, or of all products."""
        own = [tags.list_of(browse.category), tags.CATEGORIES]
        return self.cached(f"{part}:{browse.category or ''}:{browse.order.name}", CATALOGUE, own, build)

    def uncached(self, browse: ListQuery, build: Build) -> CacheableResponse:
        """Answer with a list that only those in front of the store may keep: what people type, for a short time.

        Raises:
            ServiceUnavailable: too many of them are being put together.
        """
        with self._bulkhead.turn():
            value = as_json(build())
        every = (tags.list_of(browse.category, browse.q), tags.CATALOGUE, tags.CATEGORIES)
        return CacheableResponse(
            value, SEARCH if browse.has_free_input else CATALOGUE, self._cache.effective_tags(every)
        )

    def search_results(self, browse: ListQuery, build: Callable[[], ProductListing]) -> CacheableResponse:
        """Answer a search, and remember only that there was nothing to find.

        Raises:
            ServiceUnavailable: too many lists that are not kept are being put together.
        """

        def load() -> bytes:
            listing = build()
            return DoNotCache(as_json(listing)) if listing.items else as_json(listing)

        key = f"search:{digest(repr(browse).encode())}"
        every = [tags.list_of(browse.category, browse.q), tags.CATALOGUE]
        with self._bulkhead.turn():  # around the look, too: a refusal is no failure of this search
            value = self._cache.get_or_load(key, NEGATIVE, every, load)
        if isinstance(value, DoNotCache):
            return CacheableResponse(value, SEARCH, self._cache.effective_tags(every))
        return CacheableResponse(value, NEGATIVE, self._cache.effective_tags(every), key)


def as_json(answer: BaseModel) -> bytes:
    """Serialise an answer."""
    return answer.model_dump_json().encode()


def entity_tag(answer: BaseModel) -> str:
    """Return the strong validator of an answer, without its quotes: it changes with every byte (RFC 9110, 8.8.1)."""
    return digest(as_json(answer))


def parse(answer: CacheableResponse) -> dict[str, Any]:
    """Read an answer again."""
    found: dict[str, Any] = json.loads(answer.value)
    return found


def _of_product(part: str, slug: str, build: Build) -> CacheRequest:
    every = (tags.product(slug), tags.CATALOGUE)
    return CacheRequest(f"product:{part}:{slug}", CATALOGUE, every, lambda: as_json(build()))
