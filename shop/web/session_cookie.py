"""Flask's signed session in two cookies, at no cost for requests without a cookie.

Problem: a response writes a cookie as a whole, starting from the value in its request. If two responses to one browser
overlap, the later one overwrites what the earlier one wrote, even if it changed something else.
Method: one cookie for each concern, and a response writes only the cookie that its request has changed. One cookie
holds the guest's identity, the other one the messages for the next page, so a message never rewrites an identity. (The
signed-in account has its own cookie, see ``shop/accounts/sessions.py``.)

Flask builds a signer for every request, even without a cookie, and public pages never read a session. So the store
builds one signer for all requests, and uses it only for a request with a cookie.
"""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.wrappers import Request, Response
from itsdangerous import URLSafeTimedSerializer

NOTES = frozenset({"_flashes", "reset"})
"""Keys of the session in the notes cookie: messages that are shown once, and the token of a link."""


class TwoCookieSession(SecureCookieSession):
    """The session, and the content of both cookies at the start of the request."""

    guest: Mapping[str, Any] = MappingProxyType({})
    notes: Mapping[str, Any] = MappingProxyType({})


class _OneSigner(SecureCookieSessionInterface):
    """Builds the signer once for all requests."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the signer of the app's secret key."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer


class _NotesCookie(_OneSigner):
    """The second cookie; with its own salt, a value of one cookie is not valid in the other."""

    salt = "cookie-notes"

    def get_cookie_name(self, app: Flask) -> str:
        """Return its name from the application's configuration."""
        return str(app.config["NOTES_COOKIE_NAME"])


class SessionCookies(_OneSigner):
    """Reads both cookies into one session, and writes each cookie only if it has changed."""

    session_class = TwoCookieSession

    def __init__(self) -> None:
        super().__init__()
        self._notes = _NotesCookie()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of the request, or an empty one."""
        if "HTTP_COOKIE" not in request.environ and app.secret_key:
            return self.session_class()
        guest, notes = super().open_session(app, request), self._notes.open_session(app, request)
        session = TwoCookieSession({**(guest or {}), **(notes or {})})
        session.guest, session.notes = deepcopy(dict(guest or {})), deepcopy(dict(notes or {}))
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the changed cookies into the response; nothing if the session is empty and was not read."""
        if not (session or session.accessed or session.modified):
            return
        if not (session.modified and isinstance(session, TwoCookieSession)):
            super().save_session(app, session, response)
            return
        guest = {key: value for key, value in session.items() if key not in NOTES}
        super().save_session(app, _changed(guest, session.guest, session), response)
        notes = {key: value for key, value in session.items() if key in NOTES}
        self._notes.save_session(app, _changed(notes, session.notes, session), response)


def _changed(part: dict[str, Any], received: Mapping[str, Any], session: SessionMixin) -> SecureCookieSession:
    """Return a part of the session, marked as modified if it differs from the received cookie."""
    changed = SecureCookieSession(part)
    changed.accessed, changed.modified = session.accessed, part != received
    return changed
