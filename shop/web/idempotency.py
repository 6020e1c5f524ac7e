"""Idempotency keys for every call and form that changes something, without a word in the views.

A view without a decorator runs in one transaction together with its key: claim, work and response are committed
together, or none of them is. Two kinds of view carry a decorator: :func:`multi_transaction` marks work of several
transactions with a call to another server between them, :func:`ignores_idempotency_key` marks a response that must not
be stored.

A request without a key costs one look into its headers.
"""

import functools
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from flask import Flask, Response, current_app, g, make_response, request, session
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from shop.errors import BadRequest, ServiceUnavailable, ShopError
from shop.patterns.idempotency import keys
from shop.patterns.idempotency.key_lease import KeyLease, NoLease
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.policy import IdempotencyPolicy
from shop.patterns.idempotency.rules import ReplayedRequest, StoredResponse, is_storable, is_storable_refusal
from shop.web import request_middleware

V = TypeVar("V", bound=Callable[..., Any])
View = Callable[..., Any]
Build = Callable[[Session, Any], Response | None]

FORM_FIELD = "key"
REPLAYED_HEADER = "Idempotency-Replayed"
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NOBODY = "anybody:"
"""Before the fingerprint of who carries neither account nor cart. Two strangers who chose the same key are told apart
by what they ask, and whoever asks the very same learns nothing she did not know."""

_MARK = "__idempotency__"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeyMode:
    """How a view and its key go together.

    Args:
        phased: whether its work is more than one transaction; then it asks for :func:`current` itself.
        required: whether it refuses to work without a key.
    """

    phased: bool = False
    required: bool = False


def multi_transaction(*, required: bool = False) -> Callable[[V], V]:
    """Mark a view whose work is several transactions; arguments as :class:`Mode`."""
    return _marked(KeyMode(phased=True, required=required))


def ignores_idempotency_key(view: V) -> V:
    """Mark a view that hands out what proves who somebody is: nothing of it is ever kept, so a key has no effect."""
    return _marked(None)(view)


class CurrentKey(Protocol):
    """The key of the request being served, for a view in phases."""

    @property
    def key(self) -> str | None:
        """Return it; ``None`` where there is none, or none is honoured."""

    @property
    def built(self) -> Response | None:
        """Return the answer that the last phase has built and kept, if it has."""

    def guard(self, build: Build, fingerprint: str | None = None) -> KeyLease:
        """Return what the first phase claims the key with and the last one finishes it with.

        Args:
            build: builds the answer inside the last phase; ``None`` for what cannot be built there.
            fingerprint: of what was understood, where that is better than one of what was sent.
        """


class KeyedServices(Protocol):
    """What the services of a request must carry for its key to count."""

    @property
    def idempotency(self) -> IdempotencyPolicy:
        """Return what becomes of keys."""


class _PhasedKey:
    """The key of a request whose view works in phases.

    Args:
        keeper: what becomes of keys.
        key: the request's; ``None`` if it has none.
    """

    def __init__(self, keeper: IdempotencyPolicy, key: RequestKey | None) -> None:
        self._keeper = keeper
        self._key = key if keeper.is_enforced else None
        self._guard: KeyLease = NoLease()
        self.built: Response | None = None

    @property
    def key(self) -> str | None:
        return None if self._key is None else self._key.key

    def guard(self, build: Build, fingerprint: str | None = None) -> KeyLease:
        def build_response(opened: Session, outcome: Any) -> StoredResponse | None:
            self.built = build(opened, outcome)
            return None if self.built is None else _kept(self.built)

        if self._key is not None:
            key = (
                self._key if fingerprint is None else replace(self._key, fingerprint=fingerprint, older_fingerprints=())
            )
            self._guard = self._keeper.lease(key, build_response)
        return self._guard

    def close(self, answer: StoredResponse | None) -> None:
        """End a claim that is still held. Should that fail, it runs out by itself; the work is done and is answered."""
        try:
            self._guard.close(answer)
        except ServiceUnavailable:
            _log.warning("claim_left_to_run_out", extra={"path": request.path})


def install(app: Flask, owner: Callable[[], str | None], secrets: Sequence[str]) -> None:
    """Let every changing route of the app know keys; call it once all of them are hung.

    Args:
        app: the application.
        owner: returns whose keys the request's are; ``None`` for who has neither account nor cart.
        secrets: key the fingerprints: the first those of new requests, each those that are compared with.
    """
    app.jinja_env.globals["new_key"] = lambda: uuid.uuid4().hex
    for endpoint in {rule.endpoint for rule in app.url_map.iter_rules() if CHANGING & (rule.methods or set())}:
        app.view_functions[endpoint] = _keyed(app.view_functions[endpoint], owner, secrets)


def fields() -> dict[str, str]:
    """Return the fields of the form being sent, but for its key: what is left is the view's business."""
    return {name: value for name, value in request.form.items() if name != FORM_FIELD}


def mode_of(view: View) -> KeyMode | None:
    """Return how a view and its key go together; ``None`` where a key has no effect."""
    mode: KeyMode | None = getattr(view, _MARK, KeyMode())
    return mode


def current() -> CurrentKey:
    """Return the key of the request being served, for a view in phases."""
    found: CurrentKey | None = g.get("idempotency")
    return found or _PhasedKey(_keeper(), None)


def _keyed(view: View, owner: Callable[[], str | None], secrets: Sequence[str]) -> View:
    if (mode := mode_of(view)) is None:
        return view

    @functools.wraps(view)
    def answer(**arguments: Any) -> Any:
        given = _given()
        if given is None and not mode.required:
            return view(**arguments)
        key = _key(keys.validate_key(given), owner, secrets)
        way = _in_phases if mode.phased else _in_one_transaction
        try:
            return way(lambda: make_response(view(**arguments)), key)
        except ReplayedRequest as replayed:
            return _again(replayed.response)

    return answer


def _in_one_transaction(call: Callable[[], Response], key: RequestKey) -> Response:
    """Claim, do and finish in one transaction. What is refused is rolled back, and kept if it is final."""
    keeper = _keeper()
    try:
        with keeper.one_transaction(key) as work:
            response = call()
            done = work.is_open and response.status_code < 400
            if done:
                work.finish(None if _begins_anew(key) else _kept(response))
            else:
                work.undo()
    except (ShopError, HTTPException) as refusal:
        response, done = _refused(refusal), False
    if not done and is_storable_refusal(response.status_code, key.owner):
        keeper.store(key, _kept(response))
    return response


def _in_phases(call: Callable[[], Response], key: RequestKey) -> Response:
    """Let the view claim with its first phase and finish with its last; end here what it left open."""
    g.idempotency = phased = _PhasedKey(_keeper(), key)
    kept = None
    try:
        response = call()
        kept = _kept(response) if is_storable(response.status_code, key.owner) else None
    except (ShopError, HTTPException) as refusal:
        response = _refused(refusal)
        kept = _kept(response) if is_storable_refusal(response.status_code, key.owner) else None
    finally:
        phased.close(kept)
    return response


def _keeper() -> IdempotencyPolicy:
    return request_middleware.services(KeyedServices).idempotency  # type: ignore[type-abstract]  # any services will do


def _begins_anew(key: RequestKey) -> bool:
    """Tell whether the answer makes somebody of a stranger, by a cookie that no second answer could bring her."""
    return key.owner.startswith(NOBODY) and session.modified


def _given() -> str | None:
    """Return the key a request carries: in a header, or in a field of its form."""
    header: str | None = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    return header if header is not None else request.form.get(FORM_FIELD)


def _key(given: str, owner: Callable[[], str | None], secrets: Sequence[str]) -> RequestKey:
    body = _body()
    fingerprint, *older = (keys.fingerprint(secret, request.full_path, body) for secret in secrets or ("",))
    route = f"{request.method} {request.url_rule}"
    return RequestKey(owner() or NOBODY + fingerprint, route, given, fingerprint, tuple(older))


def _body() -> bytes:
    if request.is_json:
        try:
            return keys.canonical_json(request.get_json(silent=True))
        except RecursionError:
            raise BadRequest("The body nests too deep.") from None
    return keys.canonical_form(field for field in request.form.items(multi=True) if field[0] != FORM_FIELD)


def _refused(refusal: Exception) -> Response:
    return make_response(current_app.handle_user_exception(refusal))


def _kept(response: Response) -> StoredResponse:
    whole = StoredResponse(response.status_code, response.get_data(), response.content_type or "", response.location)
    return whole.bounded()


def _again(answer: StoredResponse) -> Response:
    response = Response(answer.body, answer.status, content_type=answer.content_type)
    if answer.location:
        response.headers["Location"] = answer.location
    response.headers[REPLAYED_HEADER] = "true"
    return response


def _marked(mode: KeyMode | None) -> Callable[[V], V]:
    def mark(view: V) -> V:
        setattr(view, _MARK, mode)
        return view

    return mark
