"""How long a kind of data may be remembered: time-to-live classes, as data.

Problem: one lifetime for everything is too long for what hurts when it is stale and too short for what never changes.
Method: a class says what a reader may see at worst if an invalidation were lost, so it is chosen by what stale data
would cost, not by how slow the query is. Behind its fresh time an entry is kept for two needs, each with a bound of
its own: while somebody is loading its successor, and when loading fails. A price that is a minute old for the sake of
speed is worse than one that is ten minutes old when nothing else is to be had. Both bounds hold at the edge as well. An
invalidated entry is served in neither need.
Source: RFC 9111, 4.2.4 and RFC 5861 (stale-while-revalidate, stale-if-error), which ask the same two questions of HTTP.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """One class of data.

    Args:
        name: bounded, for figures and logs.
        ttl_s: seconds an entry is fresh; 0 means it is never stored.
        private: whether it belongs to one person; its key must then name that person.
        browser_s: seconds a browser may use it without asking; nothing that is invalidated reaches a browser.
        stale_while_revalidate_s: seconds it may be served when no longer fresh while somebody loads its successor.
        stale_if_error_s: the same while loading fails; not less.
        negative: whether it only remembers that something is not there.
    """

    name: str
    ttl_s: int
    private: bool = False
    browser_s: int = 0
    stale_while_revalidate_s: int = 0
    stale_if_error_s: int = 0
    negative: bool = False

    @property
    def grace_s(self) -> int:
        """Seconds it is kept when no longer fresh."""
        return max(self.stale_while_revalidate_s, self.stale_if_error_s)


OUTAGE_S = 10 * 60
"""Seconds of an outage that public pages outlive."""

REFERENCE = CachePolicy(
    "reference", ttl_s=6 * 3600, browser_s=5 * 60, stale_while_revalidate_s=10 * 60, stale_if_error_s=OUTAGE_S
)
"""Changes with a release or an editor's decision: the category tree."""
CATALOGUE = CachePolicy("catalogue", ttl_s=5 * 60, stale_while_revalidate_s=60, stale_if_error_s=OUTAGE_S)
"""Changes during the day, and a few minutes late would be bearable: products, lists, reviews."""
SEARCH = CachePolicy("search", ttl_s=30, stale_while_revalidate_s=30, stale_if_error_s=OUTAGE_S)
"""What people type: seldom asked for twice, and ended all together by whatever may change what one of them finds."""
PERSONAL = CachePolicy("personal", ttl_s=60, private=True, stale_while_revalidate_s=60, stale_if_error_s=60)
"""Belongs to one person, who notices when it is late."""
NEGATIVE = CachePolicy("negative", ttl_s=10, negative=True)
"""That there is no such thing. Short: what is asked for by mistake is seldom asked for again, and who has just made it
wants to see it. Never stale: nothing is lost by looking again."""
LIVE = CachePolicy("live", ttl_s=0)
"""Wrong once it is old: stock, carts, prices at checkout."""
