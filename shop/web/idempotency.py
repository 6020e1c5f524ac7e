"""Idempotency keys for every call and form that writes. A view needs no code for it.

A view without a decorator runs in one transaction together with its key: claim, work and response are committed
together, or none of them is. Two kinds of view carry a decorator: :func:`multi_transaction` marks work of several
transactions with a call to another server between them, :func:`ignores_idempotency_key` marks a response that must not
be stored.

A request without a key costs one look-up in its headers.
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
from shop.patterns.idempotency.key_owners import ANONYMOUS_PREFIX
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.policy import IdempotencyPolicy
from shop.patterns.idempotency.replay_rules import ReplayedRequest, StoredResponse, is_storable, is_storable_refusal
from shop.web.request_services import request_services

V = TypeVar("V", bound=Callable[..., Any])
View = Callable[..., Any]
BuildResponse = Callable[[Session, Any], Response | None]

FORM_FIELD = "key"
REPLAYED_HEADER = "Idempotency-Replayed"
WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_MODE = "__idempotency__"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeyMode:
    """How a view uses the key of its request.

    Args:
        several_transactions: whether the view's work is several transactions; such a view calls :func:`current_key`.
        required: whether a request without a key is refused.
    """

    several_transactions: bool = False
    required: bool = False


def multi_transaction(*, required: bool = False) -> Callable[[V], V]:
    """Mark a view whose work is several transactions; arguments as :class:`KeyMode`."""
    return _set_mode(KeyMode(several_transactions=True, required=required))


def ignores_idempotency_key(view: V) -> V:
    """Mark a view whose response proves an identity, such as a log-in: it is never stored, so a key has no effect."""
    return _set_mode(None)(view)


class CurrentKey(Protocol):
    """The key of the request being served, for a view of several transactions."""

    @property
    def key(self) -> str | None:
        """Return the key; ``None`` if the request has none, or keys are ignored."""

    @property
    def response(self) -> Response | None:
        """Return the response that was built and stored in the last transaction; ``None`` if none was."""

    def lease(self, build: BuildResponse, fingerprint: str | None = None) -> KeyLease:
        """Return the lease: the first transaction claims the key with it, and the last one finishes the key.

        Args:
            build: builds the response inside the last transaction; ``None`` if it cannot be built there.
            fingerprint: of the validated request, for a view where it is better than that of the raw request.
        """


class _MultiTransactionKey:
    """The key of a request whose view works in several transactions.

    Args:
        policy: enforces keys or ignores them.
        key: the request's; ``None`` if it has none.
    """

    def __init__(self, policy: IdempotencyPolicy, key: RequestKey | None) -> None:
        self._policy = policy
        self._key = key if policy.is_enforced else None
        self._lease: KeyLease = NoLease()
        self.response: Response | None = None

    @property
    def key(self) -> str | None:
        return None if self._key is None else self._key.key

    def lease(self, build: BuildResponse, fingerprint: str | None = None) -> KeyLease:
        def build_stored(opened: Session, outcome: Any) -> StoredResponse | None:
            self.response = build(opened, outcome)
            return None if self.response is None else _to_stored(self.response)

        if self._key is not None:
            key = (
                self._key if fingerprint is None else replace(self._key, fingerprint=fingerprint, older_fingerprints=())
            )
            self._lease = self._policy.lease(key, build_stored)
        return self._lease

    def close(self, stored: StoredResponse | None) -> None:
        """End a claim that is still held. If that fails, the claim expires; the work is done and its response sent."""
        try:
            self._lease.close(stored)
        except ServiceUnavailable:
            _log.warning("claim_left_to_run_out", extra={"path": request.path})


def install(app: Flask, owner: Callable[[], str | None], secrets: Sequence[str]) -> None:
    """Make every writing route of the app honour idempotency keys; call it when all of them are registered.

    Args:
        app: the application.
        owner: returns the owner of the request's keys; ``None`` for a client with neither account nor cart.
        secrets: key the fingerprints. The first makes those of new requests; stored ones are compared under each.
    """
    app.jinja_env.globals["new_key"] = lambda: uuid.uuid4().hex
    for endpoint in {rule.endpoint for rule in app.url_map.iter_rules() if WRITE_METHODS & (rule.methods or set())}:
        view = app.view_functions[endpoint]
        if (mode := key_mode(view)) is not None:
            app.view_functions[endpoint] = _idempotent(view, mode, owner, secrets)


def form_fields() -> dict[str, str]:
    """Return the fields of the form being sent, without the idempotency key."""
    return {name: value for name, value in request.form.items() if name != FORM_FIELD}


def key_mode(view: View) -> KeyMode | None:
    """Return how a view uses the key of its request; ``None`` if a key has no effect."""
    mode: KeyMode | None = getattr(view, _MODE, KeyMode())
    return mode


def current_key() -> CurrentKey:
    """Return the key of the request being served, for a view of several transactions."""
    key: CurrentKey | None = g.get("idempotency")
    return key or _MultiTransactionKey(request_services().idempotency, None)


def _idempotent(view: View, mode: KeyMode, owner: Callable[[], str | None], secrets: Sequence[str]) -> View:
    """Return a view that honours the key of its request: in a header, or in a field of its form."""
    run = _in_several_transactions if mode.several_transactions else _in_one_transaction

    @functools.wraps(view)
    def keyed_view(**arguments: Any) -> Any:
        header: str | None = request.environ.get("HTTP_IDEMPOTENCY_KEY")
        key = header if header is not None else request.form.get(FORM_FIELD)
        if key is None and not mode.required:
            return view(**arguments)
        request_key = _request_key(keys.validate_key(key), owner, secrets)
        try:
            return run(lambda: make_response(view(**arguments)), request_key)
        except ReplayedRequest as replayed:
            stored = replayed.response
            response = Response(stored.body, stored.status, content_type=stored.content_type)
            if stored.location:
                response.headers["Location"] = stored.location
            response.headers[REPLAYED_HEADER] = "true"
            return response

    return keyed_view


def _in_one_transaction(call_view: Callable[[], Response], key: RequestKey) -> Response:
    """Claim the key, run the view and store its response in one transaction.

    A refusal rolls the transaction back. A refusal that is final is stored afterwards.
    """
    policy = request_services().idempotency
    try:
        with policy.one_transaction(key) as work:
            response = call_view()
            done = work.is_open and response.status_code < 400
            if done:
                # A stored response has no cookies, but a new guest needs the cookie of this response. So the response
                # is not stored, and the key is free again.
                creates_guest = key.owner.startswith(ANONYMOUS_PREFIX) and session.modified
                work.finish(None if creates_guest else _to_stored(response))
            else:
                work.undo()
    except (ShopError, HTTPException) as refusal:
        response, done = make_response(current_app.handle_user_exception(refusal)), False
    if not done and is_storable_refusal(response.status_code, key.owner):
        policy.store(key, _to_stored(response))
    return response


def _in_several_transactions(call_view: Callable[[], Response], key: RequestKey) -> Response:
    """Run a view that claims the key in its first transaction and finishes it in its last; close what it left open."""
    g.idempotency = current = _MultiTransactionKey(request_services().idempotency, key)
    stored = None
    try:
        response = call_view()
        stored = _to_stored(response) if is_storable(response.status_code, key.owner) else None
    except (ShopError, HTTPException) as refusal:
        response = make_response(current_app.handle_user_exception(refusal))
        stored = _to_stored(response) if is_storable_refusal(response.status_code, key.owner) else None
    finally:
        current.close(stored)
    return response


def _request_key(key: str, owner: Callable[[], str | None], secrets: Sequence[str]) -> RequestKey:
    """Return the key with its owner, its route and the fingerprint of the request.

    Raises:
        BadRequest: the JSON body nests too deep.
    """
    if request.is_json:
        try:
            body = keys.canonical_json(request.get_json(silent=True))
        except RecursionError:
            raise BadRequest("The body nests too deep.") from None
    else:
        body = keys.canonical_form(field for field in request.form.items(multi=True) if field[0] != FORM_FIELD)
    fingerprint, *older = (keys.fingerprint(secret, request.full_path, body) for secret in secrets or ("",))
    route = f"{request.method} {request.url_rule}"
    return RequestKey(owner() or ANONYMOUS_PREFIX + fingerprint, route, key, fingerprint, tuple(older))


def _to_stored(response: Response) -> StoredResponse:
    whole = StoredResponse(response.status_code, response.get_data(), response.content_type or "", response.location)
    return whole.bounded()


def _set_mode(mode: KeyMode | None) -> Callable[[V], V]:
    def mark(view: V) -> V:
        setattr(view, _MODE, mode)
        return view

    return mark
