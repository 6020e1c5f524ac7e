"""How long a kind of data may be remembered: time-to-live classes, as data.

Problem: one lifetime for everything is too long for what hurts when it is stale and too short for what never changes.
Method: a class says what a reader may see at worst if an invalidation were lost, so it is chosen by what stale data
would cost, not by how slow the query is. Behind its fresh time an entry has a time of grace: it is kept, and served
only while somebody is loading its successor or when loading fails. An invalidated entry has no grace.
Source: RFC 9111, 4.2.4 and RFC 5861 (stale-while-revalidate, stale-if-error), which ask the same two questions of HTTP.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """One class of data.

    Args:
        name: bounded, for figures and logs.
        ttl_s: seconds an entry is fresh; 0 means it is never stored.
        private: whether it belongs to one person; its key must then name that person.
        browser_s: seconds a browser may use it without asking; nothing that is invalidated reaches a browser.
        grace_s: seconds it is kept when no longer fresh, for the moments in which nothing better is to be had.
        negative: whether it only remembers that something is not there.
    """

    name: str
    ttl_s: int
    private: bool = False
    browser_s: int = 0
    grace_s: int = 0
    negative: bool = False


REFERENCE = Policy("reference", ttl_s=6 * 3600, browser_s=5 * 60, grace_s=6 * 3600)
"""Changes with a release or an editor's decision: the category tree."""
CATALOGUE = Policy("catalogue", ttl_s=5 * 60, grace_s=10 * 60)
"""Changes during the day, and a few minutes late would be bearable: products, lists, reviews."""
SEARCH = Policy("search", ttl_s=30)
"""What people type: too many things to invalidate one by one, seldom asked for twice, late for seconds at most."""
PERSONAL = Policy("personal", ttl_s=60, private=True, grace_s=60)
"""Belongs to one person, who notices when it is late."""
NEGATIVE = Policy("negative", ttl_s=10, negative=True)
"""That there is no such thing. Short: what is asked for by mistake is seldom asked for again, and who has just made it
wants to see it. Never stale: nothing is lost by looking again."""
LIVE = Policy("live", ttl_s=0)
"""Wrong once it is old: stock, carts, prices at checkout."""
