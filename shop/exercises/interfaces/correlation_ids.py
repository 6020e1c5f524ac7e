"""The interface of the exercise ``correlation-ids``."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class CorrelatedApplication(Protocol):
    """A WSGI application (PEP 3333) with a correlation id for each request."""

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse", /) -> Iterable[bytes]:
        """Answer one request.

        Args:
            environ: the request; the header ``X-Request-ID`` is ``environ["HTTP_X_REQUEST_ID"]``, if it was sent.
            start_response: takes the status, the headers and, after an error, the exception.
        """
        ...


class CorrelationFactory(Protocol):
    """Builds the middleware when a web process starts."""

    def __call__(
        self, app: "WSGIApplication", current_id: ContextVar[str], log: Callable[[str], None]
    ) -> CorrelatedApplication:
        """Return middleware around an application.

        Args:
            app: the application inside.
            current_id: holds the id of the request in work; log lines and outgoing calls read it there.
            log: writes one line of text.
        """
        ...
