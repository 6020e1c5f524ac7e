"""How long a kind of data may be remembered: time-to-live classes, as data.

The class says what a reader may see at worst if an invalidation were lost, so it is chosen by what stale data would
cost, not by how slow the query is.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """One class of data.

    Args:
        name: bounded, for figures and logs.
        ttl_s: seconds an entry may be served; 0 means it is never stored.
        private: whether it belongs to one person; its key must then name that person.
        browser_s: seconds a browser may use it without asking; nothing that is invalidated reaches a browser.
    """

    name: str
    ttl_s: int
    private: bool = False
    browser_s: int = 0


REFERENCE = Policy("reference", ttl_s=6 * 3600, browser_s=5 * 60)
"""Changes with a release or an editor's decision: the category tree."""
CATALOGUE = Policy("catalogue", ttl_s=5 * 60)
"""Changes during the day, and a few minutes late would be bearable: products, lists, reviews."""
SEARCH = Policy("search", ttl_s=30)
"""What people type: too many things to invalidate one by one, seldom asked for twice, late for seconds at most."""
PERSONAL = Policy("personal", ttl_s=60, private=True)
"""Belongs to one person, who notices when it is late."""
LIVE = Policy("live", ttl_s=0)
"""Wrong once it is old: stock, carts, prices at checkout."""
