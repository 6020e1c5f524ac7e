"""What an experiment needs of the store besides its switches: knobs, and the store's own count of what it did.

Hung in the lab profile only.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field, StrictFloat

from shop.errors import ServiceUnavailable, StateConflict
from shop.faults import FaultChannel
from shop.lab_console.pages import Mails
from shop.patterns.caching.inspection import MaxMemory
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.observability.metrics_summary import MetricsSummary
from shop.settings import Settings
from shop.switches.parameters import CACHE_MEMORY, LAB_PARAMETERS, current_value, validate
from shop.switches.registry import SwitchPoller
from shop.switches.store import SwitchStore
from shop.web.openapi import ApiBlueprint
from shop.web.schemas import ApiModel, ProblemDetails

NO_STORE = {"Cache-Control": "no-store"}
MOST_MAILS = 1_000


class KnobPath(ApiModel):
    """Which knob is meant."""

    name: str = Field(description="Its dotted name.")


class ParameterChange(ApiModel):
    """How it is to stand."""

    value: StrictFloat = Field(description="Between its least and its most.")


class KnobAnswer(ApiModel):
    """One knob and how it stands."""

    name: str
    value: float | None = Field(description="`null` where the server that knows does not answer.")
    low: float
    high: float
    does: str


class KnobList(ApiModel):
    """All of them."""

    items: list[KnobAnswer]


class CacheAnswer(ApiModel):
    """What the shared cache's server says of itself."""

    evicted_keys: int | None = Field(
        description="Entries evicted since it was started; `null` where it does not answer."
    )


class LayerFigures(ApiModel):
    """What one cache layer was asked and answered."""

    name: str
    asked: int
    hits: int


class EdgeFigures(ApiModel):
    """What the edge answered, from what it kept or from the application."""

    requests: int
    failed: int = Field(description="Answers of status 500 and above.")


class FiguresAnswer(ApiModel):
    """Sums since the web server was started, over all its processes."""

    workers: int = Field(description="Web processes that share the work.")
    metrics_port: int = Field(description="Where `/metrics` is answered on this machine, also while no thread is free.")
    requests: int = Field(description="Requests the application answered.")
    failed: int = Field(description="Answers of status 500 and above.")
    edge: EdgeFigures | None = Field(description="What shoppers were answered; `null` where no edge stands in front.")
    queries: int = Field(description="Database statements run for requests.")
    layers: list[LayerFigures]
    loads: dict[str, int] = Field(
        description="Values made afresh, by class of time-to-live.", examples=[{"detail": 12}]
    )


class MailQuery(ApiModel):
    """How many."""

    limit: int = Field(default=20, ge=1, le=MOST_MAILS)


class MailAnswer(ApiModel):
    """One mail of the mailbox."""

    recipient: str
    subject: str
    created_at: datetime


class MailList(ApiModel):
    """The newest of them, the newest first."""

    items: list[MailAnswer]


def create_api(
    store: SwitchStore,
    board: SwitchPoller,
    desk: FaultChannel,
    memory: MaxMemory | None,
    count: Callable[[], MetricsSummary],
    settings: Settings,
    mails: Mails,
) -> ApiBlueprint:
    """Build the routes.

    Args:
        store: where knobs are kept for every process.
        board: this process's view of them, read again at once after a turn made here.
        desk: tells whether the cache is one of this stack's.
        memory: the cache's; ``None`` where there is no cache.
        count: returns what the server has done since it was started.
        settings: how many web processes there are, and where they show their figures.
        mails: returns so many mails of the mailbox, the newest first.
    """
    api = ApiBlueprint("lab_api", __name__, url_prefix="/api/v1/lab", abp_tags=[Tag(name="lab")])

    def value_of(name: str) -> float | None:
        if name != CACHE_MEMORY:
            return current_value(dict(board.current().parameters), name)
        try:
            return memory.limit_mb() if memory else None
        except CacheUnavailable:
            return None

    def described(name: str, value: float | None) -> dict[str, Any]:
        knob = LAB_PARAMETERS[name]
        return KnobAnswer(name=name, value=value, low=knob.low, high=knob.high, does=knob.description).model_dump()

    @api.get("/knobs", responses={200: KnobList})
    def list_knobs() -> Any:
        """List every knob and how it stands."""
        return {"items": [described(name, value_of(name)) for name in LAB_PARAMETERS]}, NO_STORE

    @api.put(
        "/knobs/<name>",
        operation_id="set_knob",
        responses={200: KnobAnswer, 409: ProblemDetails, 422: ProblemDetails, 503: ProblemDetails},
    )
    def turn(path: KnobPath, body: ParameterChange) -> Any:
        """Turn one knob; in force in every process within a second."""
        validate(path.name, body.value)
        if path.name == CACHE_MEMORY:
            _limit(memory, desk, body.value)
        else:
            store.set_parameter(path.name, body.value)
            board.refresh()
        return described(path.name, body.value), NO_STORE

    @api.get("/cache", operation_id="get_cache_figures", responses={200: CacheAnswer})
    def tell_cache() -> Any:
        """Return what the shared cache has had to evict: a cache that is too small spoils what is measured of it."""
        try:
            return CacheAnswer(evicted_keys=memory.evicted_keys() if memory else None).model_dump(), NO_STORE
        except CacheUnavailable:
            return CacheAnswer(evicted_keys=None).model_dump(), NO_STORE

    @api.get("/figures", operation_id="get_figures", responses={200: FiguresAnswer})
    def tell_figures() -> Any:
        """Return what all web processes together have done since they were started.

        What the edge answered is counted from its log, and at most a second old.
        """
        found = count()
        answer = FiguresAnswer(
            workers=settings.workers,
            metrics_port=settings.metrics_port,
            requests=found.requests,
            failed=found.failed,
            edge=EdgeFigures(requests=found.edge.requests, failed=found.edge.failed) if found.edge else None,
            queries=found.queries,
            layers=[LayerFigures(name=layer.name, asked=layer.lookups, hits=layer.hits) for layer in found.layers],
            loads=dict(found.loads),
        )
        return answer.model_dump(), NO_STORE

    @api.get("/mail", responses={200: MailList, 422: ProblemDetails})
    def list_mail(query: MailQuery) -> Any:
        """List what is in the mailbox, where mail goes while no mail server is configured."""
        found = [
            MailAnswer(recipient=mail.recipient, subject=mail.subject, created_at=mail.created_at)
            for mail in mails(query.limit)
        ]
        return MailList(items=found).model_dump(mode="json"), NO_STORE

    return api


def _limit(memory: MaxMemory | None, desk: FaultChannel, value: float) -> None:
    """Change the cache's memory.

    Raises:
        StateConflict: it is not this stack's.
        ServiceUnavailable: it does not answer.
    """
    if memory is None or "cache" not in desk.report().offered:
        raise StateConflict("The cache is no server of this stack: what others run is not changed from here.")
    try:
        memory.set_limit_mb(value)
    except CacheUnavailable:
        raise ServiceUnavailable("The cache does not answer.") from None
