"""API for experiments: sets parameters, and returns the store's own figures. Registered in the lab profile only."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field, StrictFloat

from shop.errors import ServiceUnavailable, StateConflict
from shop.faults import FaultChannel
from shop.lab_console.pages import LatestMails
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
MAX_MAILS = 1_000


class ParameterPath(ApiModel):
    """The parameter in the path."""

    name: str = Field(description="Its dotted name.")


class ParameterChange(ApiModel):
    """The new value of a parameter."""

    value: StrictFloat = Field(description="From its lowest to its highest value.")


class ParameterAnswer(ApiModel):
    """One parameter and its value."""

    name: str
    value: float | None = Field(description="`null` if the server that holds it does not answer.")
    low: float
    high: float
    does: str


class ParameterList(ApiModel):
    """All parameters."""

    items: list[ParameterAnswer]


class CacheAnswer(ApiModel):
    """Figures of the shared cache's server."""

    evicted_keys: int | None = Field(description="Entries evicted since it was started; `null` if it does not answer.")


class LayerFigures(ApiModel):
    """Look-ups of one cache layer."""

    name: str
    asked: int
    hits: int


class EdgeFigures(ApiModel):
    """Answers of the edge, from its cache or from the application."""

    requests: int
    failed: int = Field(description="Answers of status 500 and above.")


class FiguresAnswer(ApiModel):
    """Sums since the web server was started, over all its processes."""

    workers: int = Field(description="Web processes that share the work.")
    metrics_port: int = Field(description="Where `/metrics` is answered on this machine, also while no thread is free.")
    requests: int = Field(description="Requests the application answered.")
    failed: int = Field(description="Answers of status 500 and above.")
    edge: EdgeFigures | None = Field(description="Answers to shoppers; `null` if there is no edge.")
    queries: int = Field(description="Database statements run for requests.")
    layers: list[LayerFigures]
    loads: dict[str, int] = Field(description="Loader runs, by class of time-to-live.", examples=[{"detail": 12}])


class MailQuery(ApiModel):
    """Query of the mail list."""

    limit: int = Field(default=20, ge=1, le=MAX_MAILS)


class MailAnswer(ApiModel):
    """One mail of the mailbox."""

    recipient: str
    subject: str
    created_at: datetime


class MailList(ApiModel):
    """The newest mails, the newest first."""

    items: list[MailAnswer]


def create_api(
    switch_store: SwitchStore,
    poller: SwitchPoller,
    fault_channel: FaultChannel,
    max_memory: MaxMemory | None,
    summarise: Callable[[], MetricsSummary],
    settings: Settings,
    latest_mails: LatestMails,
) -> ApiBlueprint:
    """Build the routes.

    Args:
        switch_store: stores parameters for every process.
        poller: this process's snapshot of them, refreshed at once after a change made here.
        fault_channel: tells whether the cache is a server of this stack.
        max_memory: of the cache; ``None`` if there is no cache.
        summarise: returns the sums of all web processes.
        settings: the number of web processes, and the port of their metrics.
        latest_mails: returns so many mails of the mailbox, the newest first.
    """
    api = ApiBlueprint("lab_api", __name__, url_prefix="/api/v1/lab", abp_tags=[Tag(name="lab")])

    def value_of(name: str) -> float | None:
        if name != CACHE_MEMORY:
            return current_value(dict(poller.current().parameters), name)
        try:
            return max_memory.limit_mb() if max_memory else None
        except CacheUnavailable:
            return None

    def describe(name: str, value: float | None) -> dict[str, Any]:
        parameter = LAB_PARAMETERS[name]
        return ParameterAnswer(
            name=name, value=value, low=parameter.low, high=parameter.high, does=parameter.description
        ).model_dump()

    @api.get("/knobs", operation_id="list_knobs", responses={200: ParameterList})
    def list_parameters() -> Any:
        """List every parameter and its value."""
        return {"items": [describe(name, value_of(name)) for name in LAB_PARAMETERS]}, NO_STORE

    @api.put(
        "/knobs/<name>",
        operation_id="set_knob",
        responses={200: ParameterAnswer, 409: ProblemDetails, 422: ProblemDetails, 503: ProblemDetails},
    )
    def set_parameter(path: ParameterPath, body: ParameterChange) -> Any:
        """Set one parameter; every process applies it within a second."""
        validate(path.name, body.value)
        if path.name == CACHE_MEMORY:
            _set_cache_memory(max_memory, fault_channel, body.value)
        else:
            switch_store.set_parameter(path.name, body.value)
            poller.refresh()
        return describe(path.name, body.value), NO_STORE

    @api.get("/cache", operation_id="get_cache_figures", responses={200: CacheAnswer})
    def get_cache_figures() -> Any:
        """Return how many entries the shared cache has evicted: a cache that is too small spoils a measurement."""
        try:
            return CacheAnswer(evicted_keys=max_memory.evicted_keys() if max_memory else None).model_dump(), NO_STORE
        except CacheUnavailable:
            return CacheAnswer(evicted_keys=None).model_dump(), NO_STORE

    @api.get("/figures", operation_id="get_figures", responses={200: FiguresAnswer})
    def get_figures() -> Any:
        """Return sums over all web processes since they were started.

        Those of the edge are counted from its log, and at most a second old.
        """
        sums = summarise()
        answer = FiguresAnswer(
            workers=settings.workers,
            metrics_port=settings.metrics_port,
            requests=sums.requests,
            failed=sums.failed,
            edge=EdgeFigures(requests=sums.edge.requests, failed=sums.edge.failed) if sums.edge else None,
            queries=sums.queries,
            layers=[LayerFigures(name=layer.name, asked=layer.lookups, hits=layer.hits) for layer in sums.layers],
            loads=dict(sums.loads),
        )
        return answer.model_dump(), NO_STORE

    @api.get("/mail", responses={200: MailList, 422: ProblemDetails})
    def list_mail(query: MailQuery) -> Any:
        """List the mailbox, which holds the mail while no mail server is configured."""
        items = [
            MailAnswer(recipient=mail.recipient, subject=mail.subject, created_at=mail.created_at)
            for mail in latest_mails(query.limit)
        ]
        return MailList(items=items).model_dump(mode="json"), NO_STORE

    return api


def _set_cache_memory(max_memory: MaxMemory | None, fault_channel: FaultChannel, megabytes: float) -> None:
    """Change the memory limit of the cache.

    Raises:
        StateConflict: the cache is no server of this stack.
        ServiceUnavailable: the cache does not answer.
    """
    if max_memory is None or "cache" not in fault_channel.report().offered:
        raise StateConflict("The cache is no server of this stack, so its memory cannot be changed from here.")
    try:
        max_memory.set_limit_mb(megabytes)
    except CacheUnavailable:
        raise ServiceUnavailable("The cache does not answer.") from None
