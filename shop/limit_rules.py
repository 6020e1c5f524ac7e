"""Which limits must fit together, and the check that refuses settings in which they do not.

Problem: each limit is reasonable alone, and two of them contradict each other. A lock wait that is longer than the
statement never ends by itself; more web processes than the database has connections fail only under load.
Method: a rule compares two sums of limits from the table in ``shop/limits.py``. ``bin/shop up`` and the processes of
the production profile check every rule that a setting can break, before anything starts; a test checks all of them.
Source: Google, "Site Reliability Engineering", ch. 22 (queue management); Nygard, "Release It!", "Bulkheads".
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shop.errors import ConfigurationError
from shop.limits import ENTRIES
from shop.settings import Settings

RELATIONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = MappingProxyType(
    {
        "<": (operator.lt, "must be less than"),
        "<=": (operator.le, "must be at most"),
        "=": (math.isclose, "must be equal to"),
    }
)
PLUS, TIMES = " + ", " x "


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A comparison of two sums.

    Args:
        low: the names of limits, joined by ``+`` and ``x``; a number stands for itself.
        relation: a key of :data:`RELATIONS`.
        high: as ``low``.
        because: what would happen otherwise; it follows a colon.
        applies: whether the rule holds for a store with these settings.
    """

    low: str
    relation: str
    high: str
    because: str
    applies: Callable[[Settings], bool] = lambda settings: True

    def operands(self) -> list[str]:
        """Return the names of the limits, the lower side first."""
        return [*_names(self.low), *_names(self.high)]

    @property
    def is_settable(self) -> bool:
        """Return whether a setting can break the rule."""
        return any(ENTRIES[name].is_setting for name in self.operands())

    def holds(self, settings: Settings) -> bool:
        """Return whether the limits fit; also if this installation does not have the file of one of them."""
        low, high = total(self.low, settings), total(self.high, settings)
        return low is None or high is None or RELATIONS[self.relation][0](low, high)

    def refusal(self, settings: Settings) -> str:
        """Return what is wrong, and which settings to change."""
        relation = RELATIONS[self.relation][1]
        shown = f"{shown_sum(self.low, settings)} {relation} {shown_sum(self.high, settings)}"
        return f"{shown}: {self.because}. {self._remedy()}."

    def _remedy(self) -> str:
        sides = (("lower", self.low), ("raise", self.high))
        settings = ((verb, [name for name in _names(side) if ENTRIES[name].is_setting]) for verb, side in sides)
        steps = ", or ".join(f"{verb} {' or '.join(names)}" for verb, names in settings if names)
        return f"{steps[0].upper()}{steps[1:]}"


def _names(side: str) -> list[str]:
    return [name for term in side.split(PLUS) for name in term.split(TIMES) if not _is_number(name)]


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def total(side: str, settings: Settings) -> float | None:
    """Return one side of a rule in seconds, bytes or pieces; ``None`` if one of its values cannot be read here."""
    terms = []
    for term in side.split(PLUS):
        factors = [
            float(word) if _is_number(word) else ENTRIES[word].in_base_unit(settings) for word in term.split(TIMES)
        ]
        if None in factors:
            return None
        terms.append(math.prod(factor for factor in factors if factor is not None))
    return sum(terms)


def shown_sum(side: str, settings: Settings) -> str:
    """Return one side of a rule with its values, such as ``SHOP_WORKERS=2 x SHOP_DB_POOL_SIZE=8``."""

    def shown(word: str) -> str:
        entry = ENTRIES.get(word)
        value = None if entry is None else entry.read(settings)
        if entry is None or value is None:
            return word
        return (
            f"{word}={value.number:.12g}"
            if entry.is_setting
            else f"{word} ({round(value.number, 2):.12g} {entry.unit})"
        )

    return PLUS.join(TIMES.join(shown(word) for word in term.split(TIMES)) for term in side.split(PLUS))


def _has_edge(settings: Settings) -> bool:
    return settings.edge


def _has_own_database(settings: Settings) -> bool:
    return settings.database_url is None


CONNECTIONS_IN_USE = "SHOP_WORKERS x SHOP_DB_POOL_SIZE + SHOP_QUEUE_THREADS + worker's loops + reserve"
"""The most sessions of the database: every web process, the worker, and the rest."""
RULES: tuple[LimitRule, ...] = (
    LimitRule(
        "SHOP_DB_LOCK_TIMEOUT_MS",
        "<",
        "SHOP_DB_STATEMENT_TIMEOUT_MS",
        "a statement would end before its wait for a lock, and the error would not name the lock",
    ),
    LimitRule(
        "SHOP_DB_STATEMENT_TIMEOUT_MS",
        "<",
        "SHOP_REQUEST_TIMEOUT_MS",
        "one statement could use up the whole request",
    ),
    LimitRule(
        "SHOP_DB_STATEMENT_TIMEOUT_MS + statement grace",
        "<",
        "fill wait",
        "readers would give up waiting for a load that is still allowed to run, and load beside it",
    ),
    LimitRule(
        "SHOP_DB_POOL_TIMEOUT_S",
        "<",
        "SHOP_REQUEST_TIMEOUT_MS",
        "a request could spend its whole time waiting for a connection",
    ),
    LimitRule(
        "SHOP_DB_CONNECT_TIMEOUT_S",
        "<=",
        "SHOP_REQUEST_TIMEOUT_MS",
        "a request could spend its whole time opening a connection",
    ),
    LimitRule(
        "SHOP_WEB_QUEUE_WAIT_MS",
        "<",
        "SHOP_REQUEST_TIMEOUT_MS",
        "a request could spend its whole time waiting for a thread",
    ),
    LimitRule(
        "SHOP_WEB_QUEUE_LENGTH",
        "<=",
        "gunicorn connections",
        "a queue could never be as long as it is allowed to be",
    ),
    LimitRule(
        "SHOP_CACHE_TIMEOUT_MS",
        "<",
        "SHOP_REQUEST_TIMEOUT_MS",
        "a cache that hangs would cost a request all its time, and the database could not answer in its place",
    ),
    LimitRule(
        "SHOP_PAYMENTS_TIMEOUT_MS",
        "<",
        "SHOP_REQUEST_TIMEOUT_MS",
        "after a charge without an answer no time would be left to ask whether the card was charged",
    ),
    LimitRule(
        "SHOP_PAYMENTS_SLOW_MS",
        "<=",
        "SHOP_PAYMENTS_TIMEOUT_MS",
        "no call could ever count as slow, and the breaker would not open for a provider that slows down",
    ),
    LimitRule(
        "SHOP_THREADS",
        "<=",
        "SHOP_DB_POOL_SIZE",
        "request threads would wait for one another's connections",
    ),
    LimitRule(
        "SHOP_THREADS",
        "<=",
        "provider connections",
        "checkouts would wait for one another's calls, and use up their time",
    ),
    LimitRule("SHOP_THREADS", "<", "gunicorn connections", "threads would be left without a connection to serve"),
    LimitRule(
        CONNECTIONS_IN_USE,
        "<=",
        "PostgreSQL connections",
        "the database would refuse connections when every thread uses one",
        _has_own_database,
    ),
    LimitRule(
        "SHOP_QUEUE_THREADS", "<=", "SHOP_QUEUE_PREFETCH", "threads of the worker would be left without a message"
    ),
    LimitRule("SHOP_QUEUE_PREFETCH", "<=", "SHOP_QUEUE_LENGTH", "a worker would fetch more than a queue may hold"),
    LimitRule(
        "SHOP_REQUEST_TIMEOUT_MS",
        "<",
        "gunicorn stop",
        "a stop would cut off requests that still have time",
    ),
    LimitRule(
        "SHOP_REQUEST_TIMEOUT_MS",
        "<",
        "edge wait",
        "the edge would answer 503 while the application still works",
        _has_edge,
    ),
    LimitRule(
        "edge collapse wait",
        "<",
        "SHOP_REQUEST_TIMEOUT_MS",
        "a collapsed miss would use up the time of its request",
        _has_edge,
    ),
    LimitRule("SHOP_MAIL_TIMEOUT_MS", "<", "worker stop", "a stop would cut off the conversation with the mail server"),
    LimitRule("pool's idle time", "<", "SHOP_DB_IDLE_S", "the store would use sessions that the server has ended"),
    LimitRule("gunicorn stop", "<", "gunicorn heartbeat", "a process that stops would be killed as stuck"),
    LimitRule(
        "edge kept time", "<", "gunicorn idle time", "the application would close a connection that the edge still uses"
    ),
    LimitRule(
        "nginx processes x edge kept connections",
        "<=",
        "gunicorn connections",
        "idle connections of the edge would fill a process",
    ),
    LimitRule("edge body", "=", "body", "one of the two would refuse a body that the other allows"),
    LimitRule("edge body", "<=", "edge body memory", "the edge would write bodies to the disk"),
    LimitRule("replayed body", "<", "body", "an answer that may be stored would be larger than any request"),
    LimitRule(
        "edge head line", "<=", "gunicorn request line + 2", "the application would refuse what the edge passes on"
    ),
    LimitRule("edge head line", "<=", "gunicorn field + 2", "the application would refuse what the edge passes on"),
    LimitRule("2 x lanes of a client", "<=", "lanes", "one client could hold more than half of the threads"),
    LimitRule(
        "2 x edge requests of an address, production",
        "<=",
        "nginx connections",
        "one address could take every connection",
    ),
    LimitRule(
        "2 x edge requests of an address, lab", "<=", "nginx connections", "one address could take every connection"
    ),
    LimitRule("2 x nginx connections", "<=", "nginx files", "connections would fail for want of a file"),
    LimitRule(
        "gunicorn backlog",
        "<=",
        "0.6 x measured rate",
        "the last connection in the backlog would wait for longer than half a second, and its client is gone",
    ),
    LimitRule("0.4 x measured rate", "<=", "gunicorn backlog", "a burst of less than half a second would be refused"),
    LimitRule(
        "edge connect time + edge wait", "=", "slowest fill", "the purger would stop repeating before the slowest fill"
    ),
    LimitRule(
        "edge connect time + edge wait",
        "<",
        "oldest stamp",
        "a request that the edge has given up would be taken for one with a wrong stamp, and worked on",
    ),
    LimitRule("edge store", "=", "edge store on disk", "`bin/shop status` would name a wrong bound"),
    LimitRule("check", "<", "readiness", "a check could not say what is wrong before its time is up"),
)
"""A connection to the application and one to the client are two: hence ``2 x``. ``+ 2`` is the line's end, which nginx
counts and gunicorn does not. The two factors of the measured rate are half a second, give or take a fifth."""


def contradictions(settings: Settings) -> list[str]:
    """Return a line for each rule that these settings break."""
    broken = (rule for rule in RULES if rule.is_settable and rule.applies(settings) and not rule.holds(settings))
    return [rule.refusal(settings) for rule in broken]


def require_consistent(settings: Settings) -> None:
    """Refuse settings that contradict each other.

    Raises:
        ConfigurationError: at least one rule is broken; the message has a line for each.
    """
    if lines := contradictions(settings):
        raise ConfigurationError("\n".join(["the limits contradict each other.", *lines]))
