"""API for experiments: sets parameters, and returns the store's own figures. Registered in the lab profile only."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field, StrictFloat

from shop.faults import NONE
from shop.lab_console import faults_api, switches_api
from shop.lab_console.services import LabConsoleServices
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.observability import recent_requests
from shop.switches.parameters import LAB_PARAMETERS
from shop.web.openapi import ApiBlueprint
from shop.web.private_response import NO_STORE_HEADERS
from shop.web.schemas import ApiModel, ProblemDetails

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
    default: float = Field(description="Its value when the stack starts.")
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


class RequestPath(ApiModel):
    """The request in the path."""

    request_id: str = Field(description="Its id, as in `X-Request-ID` and in `req` of `Server-Timing`.")


class UnusualSetting(ApiModel):
    """A fault in force, or a switch or a parameter that is not at its default."""

    name: str
    value: str
    unsafe: bool = Field(description="Whether the value breaks a promise of the store; true for a fault.")


class RequestAnswer(ApiModel):
    """How the application answered a request, and what is unusual in the store now."""

    answered_by: str | None = Field(description="The layer; `null` if the logs do not have the request yet.")
    duration_ms: float | None = Field(description="Time in the application, or at the edge if it answered.")
    queries: int | None = Field(description="Database statements.")
    faults: list[UnusualSetting]
    switches: list[UnusualSetting]
    parameters: list[UnusualSetting]


class AttemptNoteAnswer(ApiModel):
    """One thing that went wrong with a reader's code in the store."""

    kind: str = Field(description="One word for the cause, such as `exception` or `stopped`.")
    did: str
    came: str
    look: str = Field(description="File, line and function.")
    process: str
    ended: bool = Field(description="Whether the store had to end the call. After three ends its own code is restored.")
    at: datetime


class AttemptAnswer(ApiModel):
    """A begun exercise whose code can run in the store."""

    exercise: str
    switch: str
    value: str | None = Field(description="The switch's value with its version; `null` for the store's own code.")
    notes: list[AttemptNoteAnswer] = Field(description="About the version that was noted last, the newest first.")


class AttemptList(ApiModel):
    """All begun exercises whose code can run in the store."""

    items: list[AttemptAnswer]


def create_api(services: LabConsoleServices) -> ApiBlueprint:
    """Build the routes."""
    api = ApiBlueprint("lab_api", __name__, url_prefix="/api/v1/lab", abp_tags=[Tag(name="lab")])

    def describe(name: str, value: float | None) -> dict[str, Any]:
        parameter = LAB_PARAMETERS[name]
        return ParameterAnswer(
            name=name,
            value=value,
            default=services.parameter_default(name),
            low=parameter.low,
            high=parameter.high,
            does=parameter.description,
        ).model_dump()

    @api.get("/knobs", operation_id="list_knobs", responses={200: ParameterList})
    def list_parameters() -> Any:
        """List every parameter and its value."""
        return {"items": [describe(name, services.parameter(name)) for name in LAB_PARAMETERS]}, NO_STORE_HEADERS

    @api.put(
        "/knobs/<name>",
        operation_id="set_knob",
        responses={200: ParameterAnswer, 409: ProblemDetails, 422: ProblemDetails, 503: ProblemDetails},
    )
    def set_parameter(path: ParameterPath, body: ParameterChange) -> Any:
        """Set one parameter; every process applies it within a second."""
        services.set_parameter(path.name, body.value)
        return describe(path.name, body.value), NO_STORE_HEADERS

    @api.get("/cache", operation_id="get_cache_figures", responses={200: CacheAnswer})
    def get_cache_figures() -> Any:
        """Return how many entries the shared cache has evicted: a cache that is too small spoils a measurement."""
        try:
            evicted = services.max_memory.evicted_keys() if services.max_memory else None
        except CacheUnavailable:
            evicted = None
        return CacheAnswer(evicted_keys=evicted).model_dump(), NO_STORE_HEADERS

    @api.get("/figures", operation_id="get_figures", responses={200: FiguresAnswer})
    def get_figures() -> Any:
        """Return sums over all web processes since they were started.

        Those of the edge are counted from its log, and at most a second old.
        """
        sums = services.summarise()
        answer = FiguresAnswer(
            workers=services.web_processes() or services.settings.workers,
            metrics_port=services.settings.metrics_port,
            requests=sums.requests,
            failed=sums.failed,
            edge=EdgeFigures(requests=sums.edge.requests, failed=sums.edge.failed) if sums.edge else None,
            queries=sums.queries,
            layers=[LayerFigures(name=layer.name, asked=layer.lookups, hits=layer.hits) for layer in sums.layers],
            loads=dict(sums.loads),
        )
        return answer.model_dump(), NO_STORE_HEADERS

    @api.get("/requests/<request_id>", operation_id="get_request", responses={200: RequestAnswer})
    def get_request(path: RequestPath) -> Any:
        """Return how a request of the last minute was answered, and which faults and settings may explain it."""
        logs = services.settings.log_dir
        line = recent_requests.find_request(logs / "web.jsonl", logs / "edge.jsonl", path.request_id)
        answer = RequestAnswer(
            answered_by=recent_requests.answering_layer(line) if line else None,
            duration_ms=float(str(line["duration_ms"])) if line else None,
            queries=int(str(line["queries"])) if line else None,
            faults=[
                UnusualSetting(name=fault["name"], value=fault["value"], unsafe=True)
                for fault in faults_api.describe_all(services.fault_channel)
                if fault["value"] != NONE
            ],
            switches=[
                UnusualSetting(name=switch["name"], value=switch["value"], unsafe=switch["value"] in switch["unsafe"])
                for switch in switches_api.describe_all(services)
                if switch["value"] != switch["default"]
            ],
            parameters=[
                UnusualSetting(name=parameter.name, value=f"{parameter.value:g}", unsafe=False)
                for parameter in services.changed_parameters()
            ],
        )
        return answer.model_dump(), NO_STORE_HEADERS

    @api.get("/attempts", responses={200: AttemptList})
    def list_attempts() -> Any:
        """List the readers' attempts that can run in the store, and what went wrong with them."""
        items = [
            AttemptAnswer(
                exercise=report.slot.exercise,
                switch=report.slot.switch,
                value=report.value,
                notes=[AttemptNoteAnswer.model_validate(asdict(note)) for note in report.notes],
            )
            for report in services.attempt_reports()
        ]
        return AttemptList(items=items).model_dump(mode="json"), NO_STORE_HEADERS

    @api.get("/mail", responses={200: MailList, 422: ProblemDetails})
    def list_mail(query: MailQuery) -> Any:
        """List the mailbox, which holds the mail while no mail server is configured."""
        items = [
            MailAnswer(recipient=mail.recipient, subject=mail.subject, created_at=mail.created_at)
            for mail in services.latest_mails(query.limit)
        ]
        return MailList(items=items).model_dump(mode="json"), NO_STORE_HEADERS

    return api
