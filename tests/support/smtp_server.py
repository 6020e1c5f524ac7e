"""A real mail server for tests (aiosmtpd): it stores accepted messages, and refuses on request."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope


class MailServer:
    """Accepts every message unless the test sets another reply for a step of the conversation."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.replies: dict[str, str] = {}
        """Step (``MAIL``, ``RCPT``, ``DATA``, ``QUIT``) to its reply."""
        self.log_ins = 0
        self.port = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if "RCPT" in self.replies:
            return self.replies["RCPT"].format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.replies:
            return self.replies["DATA"]
        self.taken.append(envelope)
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        return self.replies.get("QUIT", "221 Bye")

    def log_in(self, server: Any, session: Any, envelope: Any, mechanism: str, words: Any) -> AuthResult:
        """Accept every log-in."""
        self.log_ins += 1
        return AuthResult(success=True)


@contextmanager
def run_mail_server(tls: ssl.SSLContext | None = None, *, implicit: bool = False) -> Iterator[MailServer]:
    """Run a mail server during the block.

    Args:
        tls: its certificate; mail is taken over an encrypted connection alone then.
        implicit: whether encryption is spoken from the first byte (``smtps``) and not after STARTTLS.
    """
    server, loop = MailServer(), asyncio.new_event_loop()
    options: dict[str, Any] = {"authenticator": server.log_in, "auth_require_tls": False, "hostname": "mail.test"}
    if tls is not None and not implicit:
        options |= {"tls_context": tls, "require_starttls": True}
    serving = loop.create_server(
        lambda: SMTP(server, loop=loop, **options), "127.0.0.1", 0, ssl=tls if implicit else None
    )
    listener = loop.run_until_complete(serving)
    server.port = listener.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_finish(listener), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _finish(listener: asyncio.Server) -> None:
    """Close the listener, and end the open conversations.

    A server of asyncio is closed in its own loop's thread: closed from elsewhere, it counts its last conversation's
    end twice and raises.
    """
    listener.close()
    open_ones = asyncio.all_tasks() - {asyncio.current_task()}
    for one in open_ones:
        one.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)
