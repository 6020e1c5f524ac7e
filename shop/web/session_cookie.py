"""Flask's signed session, in two cookies, at no cost to those who carry none.

Problem: an answer writes a cookie whole, as the request had brought it. Of two answers under way to one browser the
later undoes what the earlier wrote, whatever it was itself about.
Method: a cookie for each concern, and an answer writes only the one that its request has changed. Who the guest is
stands in one; what a page tells the next one stands in the other, so telling it rewrites nobody's identity. (Who is
signed in has a cookie of its own, ``shop/accounts/sessions.py``.)

Flask builds a signer for every request, cookie or not; that is a tenth of what a warm screen costs, and public pages
never look at a session.
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
"""Keys of the session that go into the cookie of notes: messages to be shown once, and a link's token on its way."""


class TwoCookieSession(SecureCookieSession):
    """The session, and what each of its cookies carried when the request came."""

    guest: Mapping[str, Any] = MappingProxyType({})
    notes: Mapping[str, Any] = MappingProxyType({})


class _OneSigner(SecureCookieSessionInterface):
    """Builds the signer once, and only asks it about a cookie that is there."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the signer of the app's secret key."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer


class _NotesCookie(_OneSigner):
    """The second cookie; its own salt keeps the value of one from being believed in the other."""

    salt = "cookie-notes"

    def get_cookie_name(self, app: Flask) -> str:
        """Return its name, as the application is configured."""
        return str(app.config["NOTES_COOKIE_NAME"])


class SessionCookies(_OneSigner):
    """Reads both cookies into one session, and writes each of them when it has changed."""

    session_class = TwoCookieSession

    def __init__(self) -> None:
        super().__init__()
        self._notes = _NotesCookie()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session the request carries, or an empty one."""
        if "HTTP_COOKIE" not in request.environ and app.secret_key:
            return self.session_class()
        guest, notes = super().open_session(app, request), self._notes.open_session(app, request)
        session = TwoCookieSession({**(guest or {}), **(notes or {})})
        session.guest, session.notes = deepcopy(dict(guest or {})), deepcopy(dict(notes or {}))
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write what has changed into the answer; nothing, if nobody looked at it and there is nothing in it."""
        if not (session or session.accessed or session.modified):
            return
        if not (session.modified and isinstance(session, TwoCookieSession)):
            super().save_session(app, session, response)
            return
        guest = {key: value for key, value in session.items() if key not in NOTES}
        super().save_session(app, _changed(guest, session.guest, session), response)
        notes = {key: value for key, value in session.items() if key in NOTES}
        self._notes.save_session(app, _changed(notes, session.notes, session), response)


def _changed(part: dict[str, Any], carried: Mapping[str, Any], session: SessionMixin) -> SecureCookieSession:
    """Return a part of the session, marked to be written if it is not what its cookie carried."""
    saved = SecureCookieSession(part)
    saved.accessed, saved.modified = session.accessed, part != carried
    return saved
