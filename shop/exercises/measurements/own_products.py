"""The products of an exercise, which nobody else requests; they are sold during its check only."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from shop.lab.store_client import API, WARM_UP_THREADS, StoreClient


def own_slugs(exercise: str, count: int) -> tuple[str, ...]:
    """Return the slugs of an exercise's products.

    Args:
        exercise: slug of the exercise.
        count: number of products.
    """
    return tuple(f"exercise-{exercise}-{number:02d}" for number in range(1, count + 1))


def sell_products(store: StoreClient, slugs: Sequence[str], on_hand: int = 0) -> str:
    """Sell each product, or sell it again, which invalidates every response about it.

    Args:
        store: the running store.
        slugs: the products.
        on_hand: pieces of each in stock.

    Returns:
        The slug of their category.
    """
    category = store.categories()[0]
    with ThreadPoolExecutor(WARM_UP_THREADS) as threads:
        sold = [threads.submit(store.sell_product, slug, product_title(slug), category, on_hand) for slug in slugs]
        for future in sold:
            future.result()
    return category


def product_title(slug: str) -> str:
    """Return the title of an exercise's product."""
    return slug.replace("-", " ").capitalize()


def screen_path(slug: str) -> str:
    """Return the path of a product's screen in the API."""
    return f"{API}/screens/product/{slug}"


def page_path(slug: str) -> str:
    """Return the path of a product's page."""
    return f"/p/{slug}"
