"""A receiver of the provider's webhooks: it stores every message, and refuses the first ``refusals`` of them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shop.payments.webhook_signatures import verify


class WebhookReceiver:
    """The received messages, in order of arrival."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.refusals = 0
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._secret = secret
        self._lock = threading.Lock()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Store one message; return the status of the answer."""
        verify(self._secret, headers, body, time.time())
        with self._lock:
            self.received.append(json.loads(body))
            self.headers.append(headers)
            self.refusals -= 1
            return 500 if self.refusals >= 0 else 200

    def keys(self) -> list[str]:
        """Return the charge keys of the messages."""
        return [message["data"]["key"] for message in self.received]


@contextmanager
def run_webhook_receiver(secret: str) -> Iterator[WebhookReceiver]:
    """Run the receiver during the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Log nothing."""

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
