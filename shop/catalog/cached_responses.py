"""The catalogue's public responses, read through the cache: JSON or HTML, the same bytes for every client."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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

Response = TypeVar("Response", bound=BaseModel)
Build = Callable[[], BaseModel]
RelatedContent = ProductScreen | RelatedProducts


class CachedResponses:
    """Returns a response from the cache, or builds, serializes and caches it.

    A cache hit touches neither the database nor a model.

    Args:
        database: the source of the responses.
        cache: the responses are read through it.
        bulkhead: bounds the number of uncached lists that are built at once.
    """

    def __init__(self, database: Database, cache: CacheClient, bulkhead: ListBulkhead) -> None:
        self._database = database
        self._cache = cache
        self._bulkhead = bulkhead

    def in_read_transaction(self, load: Callable[[Session], Response]) -> Callable[[], Response]:
        """Return a function that builds a response in a read-only transaction."""

        def build() -> Response:
            with self._database.reading() as session:
                return load(session)

        return build

    def get_or_build(self, key: str, policy: CachePolicy, own_tags: Sequence[str], build: Build) -> CacheableResponse:
        """Return the response under a key, or build it; it depends on its own tags and on the whole catalogue."""
        return self.get_or_load(key, policy, [*own_tags, tags.CATALOGUE], lambda: serialize(build()))

    def get_or_load(
        self,
        key: str,
        policy: CachePolicy,
        all_tags: Sequence[str],
        load: Callable[[], bytes],
        *,
        finds_tags: bool = False,
    ) -> CacheableResponse:
        """Return the bytes under a key.

        Args:
            key: of the entry in the cache.
            policy: its time to live.
            all_tags: on which the response depends.
            load: builds the response on a cache miss.
            finds_tags: true if ``load`` returns further tags with the value.
        """
        value = self._cache.get_or_load(key, policy, all_tags, load, finds_tags=finds_tags)
        return CacheableResponse(value, policy, (*self._cache.effective_tags(all_tags), *found_tags(value)), key)

    def effective_tags(self, all_tags: Sequence[str]) -> tuple[str, ...]:
        """Return those of the tags that can invalidate a response under the current invalidation switch."""
        return self._cache.effective_tags(all_tags)

    def product_part(self, part: str, slug: str, build: Build) -> CacheableResponse:
        """Return one part of a product's data."""
        request = _product_request(part, slug, lambda: serialize(build()))
        return self.get_or_load(request.key, request.policy, request.tags, request.load)

    def product_part_with_related(self, part: str, slug: str, build: Callable[[], RelatedContent]) -> CacheableResponse:
        """Return one part of a product's data that shows related products; it depends on each of their tags, too."""

        def load() -> bytes:
            content = build()
            return TaggedValue(serialize(content), [tags.product(related) for related in content.related_slugs])

        request = _product_request(part, slug, load)
        return self.get_or_load(request.key, request.policy, request.tags, request.load, finds_tags=True)

    def product_parts(self, slug: str, builds: Mapping[str, Build]) -> list[CacheableResponse]:
        """Return several parts of a product's data, in order; the cached parts are read in one round trip.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        requests = [_product_request(part, slug, partial(_build_bytes, build)) for part, build in builds.items()]
        responses = []
        for request, value in zip(requests, self._cache.get_many(requests), strict=True):
            if value is None:  # get_many hides the reason; a single load raises it
                responses.append(self.get_or_load(request.key, request.policy, request.tags, request.load))
            else:
                effective_tags = self._cache.effective_tags(request.tags)
                responses.append(CacheableResponse(value, request.policy, effective_tags, request.key))
        return responses

    def category_part(self, part: str, list_query: ListQuery, build: Build) -> CacheableResponse:
        """Return one part of the data of a category, or of the list of all products."""
        own_tags = [tags.list_of(list_query.category), tags.CATEGORIES]
        return self.get_or_build(
            f"{part}:{list_query.category or ''}:{list_query.order.name}", CATALOGUE, own_tags, build
        )

    def uncached(self, list_query: ListQuery, build: Build) -> CacheableResponse:
        """Build a list that only the edge and the browser may cache; for a short time if it has typed input.

        Raises:
            ServiceUnavailable: too many uncached lists are being built.
        """
        with self._bulkhead.turn():
            value = serialize(build())
        all_tags = (tags.list_of(list_query.category, list_query.q), tags.CATALOGUE, tags.CATEGORIES)
        return CacheableResponse(
            value, SEARCH if list_query.has_free_input else CATALOGUE, self._cache.effective_tags(all_tags)
        )

    def search_results(self, list_query: ListQuery, build: Callable[[], ProductListing]) -> CacheableResponse:
        """Return the result of a search; only an empty result is cached.

        Raises:
            ServiceUnavailable: too many uncached lists are being built.
        """

        def load() -> bytes:
            listing = build()
            return DoNotCache(serialize(listing)) if listing.items else serialize(listing)

        key = f"search:{digest(repr(list_query).encode())}"
        all_tags = [tags.list_of(list_query.category, list_query.q), tags.CATALOGUE]
        with self._bulkhead.turn():  # also around the cache look-up: a refusal is no failed load of this search
            value = self._cache.get_or_load(key, NEGATIVE, all_tags, load)
        if isinstance(value, DoNotCache):
            return CacheableResponse(value, SEARCH, self._cache.effective_tags(all_tags))
        return CacheableResponse(value, NEGATIVE, self._cache.effective_tags(all_tags), key)


def serialize(content: BaseModel) -> bytes:
    """Return a response as bytes of JSON."""
    return content.model_dump_json().encode()


def entity_tag(content: BaseModel) -> str:
    """Return the strong ``ETag`` of a response, without its quotes: a digest of its bytes (RFC 9110, 8.8.1)."""
    return digest(serialize(content))


def deserialize(response: CacheableResponse) -> dict[str, Any]:
    """Return the content of a response."""
    content: dict[str, Any] = json.loads(response.value)
    return content


def _build_bytes(build: Build) -> bytes:
    return serialize(build())


def _product_request(part: str, slug: str, load: Callable[[], bytes]) -> CacheRequest:
    return CacheRequest(f"product:{part}:{slug}", CATALOGUE, (tags.product(slug), tags.CATALOGUE), load)
