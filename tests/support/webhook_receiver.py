"""Somebody whom the provider tells what happened: takes down every message, and refuses as many as told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shop.payments.signatures import verify


class WebhookReceiver:
    """The messages, in the order they came."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.refusals = 0
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._secret = secret
        self._lock = threading.Lock()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Take one message down; return the status to answer."""
        verify(self._secret, headers, body, time.time())
        with self._lock:
            self.received.append(json.loads(body))
            self.headers.append(headers)
            self.refusals -= 1
            return 500 if self.refusals >= 0 else 200

    def keys(self) -> list[str]:
        """Return the keys of the charges that were told about."""
        return [message["data"]["key"] for message in self.received]


@contextmanager
def receiving(secret: str) -> Iterator[WebhookReceiver]:
    """Listen for the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = WebhookReceiver(f"http://127.0.0.1:{server.server_port}/", secret)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
