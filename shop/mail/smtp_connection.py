"""An SMTP conversation in which no step lasts longer than its caller waits.

Problem: the timeout of Python's client holds for one step, and a conversation has eight. A mail server that takes four
seconds for each holds the request that sends a mail inline for half a minute.
Method: before each step, the socket gets the time that is left until the caller's deadline, or the timeout of a step if
that is less. In the worker, which has no deadline, each step has the timeout.
Source: Google, "Site Reliability Engineering", ch. 22 (deadlines); RFC 5321, 4.5.3.2 (timeouts of the steps).

Only a process that sends mail imports this module, and with it ``smtplib``.
"""

import smtplib
import ssl
from collections.abc import Callable
from typing import Any


class DeadlineConversation(smtplib.SMTP):
    """The conversation; its connection is open when it has been made.

    Args:
        host, port: of the server.
        step_s: seconds that one step may take.
        time_left: returns the seconds until the caller's deadline; infinite without a deadline.

    Raises:
        TimeoutError: the server does not answer in time, or no time is left.
        OSError: there is no connection.
        smtplib.SMTPException: the server refuses the client.
    """

    def __init__(self, host: str, port: int, step_s: float, time_left: Callable[[], float], **options: Any) -> None:
        self._step_s = step_s
        self._time_left = time_left
        super().__init__(host, port, timeout=self._next_step_s(), **options)

    def send(self, s: Any) -> None:
        """Send bytes or text, within the time of one step."""
        self._bound_socket()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Return the code and the text of the next reply, which must begin within the time of one step."""
        self._bound_socket()
        return super().getreply()

    def _bound_socket(self) -> None:
        if self.sock is not None:
            self.sock.settimeout(self._next_step_s())

    def _next_step_s(self) -> float:
        seconds = min(self._step_s, self._time_left())
        if seconds <= 0:
            raise TimeoutError("the caller's deadline has passed")
        return seconds


class DeadlineTlsConversation(DeadlineConversation, smtplib.SMTP_SSL):
    """The same over TLS from the first byte; ``context`` is among the options."""


def connect(
    host: str, port: int, step_s: float, time_left: Callable[[], float], tls: ssl.SSLContext | None
) -> smtplib.SMTP:
    """Open a conversation.

    Args:
        host: of the server.
        port: of the server.
        step_s: seconds that one step may take.
        time_left: returns the seconds until the caller's deadline; infinite without a deadline.
        tls: for a connection that is encrypted from the first byte; ``None`` for a plain one.

    Raises:
        OSError: there is no connection, or no time for one.
        smtplib.SMTPException: the server refuses the client.
    """
    if tls is None:
        return DeadlineConversation(host, port, step_s, time_left)
    return DeadlineTlsConversation(host, port, step_s, time_left, context=tls)
