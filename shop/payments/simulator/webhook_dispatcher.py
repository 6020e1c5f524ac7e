"""Sends the provider's messages: signed anew each time, under the ids of the call that caused them."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpcore

from shop.patterns.observability import correlation
from shop.payments import signatures
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.outbox import WebhookMessage, WebhookOutbox

DISPATCHER_THREADS = 4
"""Messages on their way at once: one slow receiver must not hold up all."""
MIN_POLL_INTERVAL_S = 0.1
"""After a look that found nothing to send, however much is written meanwhile; a message is never later than that."""
MAX_POLL_INTERVAL_S = 1.0
"""The longest time without a look; what is written to the books in this process, and what becomes due, ends it."""
TIMEOUT_S = 5.0
"""What a receiver has for each step of taking a message."""
_TIMEOUTS = dict.fromkeys(("pool", "connect", "write", "read"), TIMEOUT_S)
_NOT_TAKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)

_log = logging.getLogger(__name__)


class WebhookDispatcher:
    """Takes due messages to their receiver, in threads of its own.

    Args:
        outbox: what is owed.
        controls: returns where to, and with which manners.
        secret: signs.
        look_s: the longest time without a look into the outbox.
    """

    def __init__(
        self,
        outbox: WebhookOutbox,
        controls: Callable[[], BehaviourSettings],
        secret: str,
        look_s: float = MAX_POLL_INTERVAL_S,
    ) -> None:
        self._outbox = outbox
        self._controls = controls
        self._secret = secret
        self._look_s = look_s
        self._pool = httpcore.ConnectionPool(max_connections=DISPATCHER_THREADS, keepalive_expiry=TIMEOUT_S)
        self._lookout = threading.Lock()
        """One courier looks into the outbox at a time; who finds something lets the next one look."""

    def start(self) -> None:
        """Start the threads; they end with the process. Call after a fork."""
        for number in range(DISPATCHER_THREADS):
            threading.Thread(target=self._run, name=f"courier-{number}", daemon=True).start()

    def run_once(self, found: Callable[[], None] = lambda: None) -> bool:
        """Take one message to its receiver, if one is due; tell whether there was one.

        Args:
            found: told before it is on its way.
        """
        controls = self._controls()
        if controls.outage or controls.webhook_url is None:
            return False
        with self._outbox.lease_next() as message:
            if message is None:
                return False
            found()
            if self._sent(controls.webhook_url, message):
                self._outbox.mark_delivered(message, controls)
            else:
                self._outbox.mark_failed(message, controls)
            return True

    def _run(self) -> None:
        while True:
            with ExitStack() as looking:
                looking.enter_context(self._lookout)
                self._outbox.start_poll()
                try:
                    if not self.run_once(looking.close):
                        time.sleep(MIN_POLL_INTERVAL_S)
                        self._outbox.wait(self._look_s)
                except Exception:  # noqa: BLE001 - whatever it was, the message is still owed, and others wait behind it
                    _log.exception("courier_failed")
                    time.sleep(MIN_POLL_INTERVAL_S)

    def _sent(self, url: str, message: WebhookMessage) -> bool:
        correlation.adopt(
            message.ids.get(correlation.REQUEST_ID_HEADER), message.ids.get(correlation.TRACEPARENT_HEADER)
        )
        headers = {
            "Content-Type": "application/json",
            **correlation.outgoing_headers(),
            **signatures.sign(self._secret, message.id, int(time.time()), message.body),
        }
        try:
            status = self._pool.request(
                "POST", url, headers=list(headers.items()), content=message.body, extensions={"timeout": _TIMEOUTS}
            ).status
        except _NOT_TAKEN as error:
            _log.info("webhook_not_taken", extra={"message_id": message.id, "reason": type(error).__name__})
            return False
        _log.info("webhook_sent", extra={"message_id": message.id, "status": status})
        return 200 <= status < 300
