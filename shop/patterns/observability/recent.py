"""What the last requests say together: how many a second, what they asked of the database, and who answered them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

LAYERS = {"shop-edge": "edge", "shop-local": "local memory", "shop-shared": "Valkey"}
DATABASE, APPLICATION, BROWSER = "database", "application", "browser's own copy"
NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Recent:
    """Some requests in a row."""

    requests: int
    seconds: float
    """From the first to the last of them."""
    queries: int
    answered: tuple[tuple[str, int], ...]
    """Who answered, and how many; the most first."""

    @property
    def requests_a_second(self) -> float | None:
        """Return the rate; ``None`` where one request makes none."""
        return (self.requests - 1) / self.seconds if self.seconds > 0 else None

    @property
    def queries_a_second(self) -> float | None:
        """Return the database statements a second; ``None`` where one request makes no rate."""
        return self.queries / self.seconds if self.seconds > 0 else None


def summarise(lines: Sequence[Mapping[str, object]]) -> Recent:
    """Summarise request lines, in any order."""
    moments = sorted(datetime.fromisoformat(str(line["ts"])) for line in lines)
    answered = Counter(who_answered(line) for line in lines)
    return Recent(
        requests=len(lines),
        seconds=(moments[-1] - moments[0]).total_seconds() if moments else 0.0,
        queries=sum(int(str(line.get("queries") or 0)) for line in lines),
        answered=tuple(answered.most_common()),
    )


def who_answered(line: Mapping[str, object]) -> str:
    """Return who made the answer of one request line: the cache that hit, else whatever it cost."""
    if line.get("status") == NOT_MODIFIED:
        return BROWSER
    entries = line.get("cache")
    for entry in entries if isinstance(entries, list) else ():
        layer, _, rest = str(entry).partition(";")
        if rest.strip().startswith("hit"):
            return LAYERS.get(layer, layer)
    return DATABASE if line.get("queries") else APPLICATION
