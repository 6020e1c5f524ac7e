"""Delivers the provider's webhooks. Each attempt has a new signature, and the correlation ids of the causing call."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpcore

from shop.patterns.observability import correlation
from shop.payments import webhook_signatures
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.webhook_outbox import WebhookMessage, WebhookOutbox

DISPATCHER_THREADS = 4
"""Deliveries at the same time: one slow receiver must not delay all messages."""
MIN_POLL_INTERVAL_S = 0.1
"""The pause after a poll without a due message; it delays a new message by at most this time."""
MAX_POLL_INTERVAL_S = 1.0
"""The longest time between two polls; a write to the ledger in this process or a due message ends it sooner."""
TIMEOUT_S = 5.0
"""Time limit of each step of a delivery."""
_TIMEOUTS = dict.fromkeys(("pool", "connect", "write", "read"), TIMEOUT_S)
_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)

_log = logging.getLogger(__name__)


class WebhookDispatcher:
    """Delivers due messages, in its own threads.

    Args:
        outbox: the queued messages.
        get_behaviour: returns the receiver's address and the faults.
        secret: signs the messages.
        max_poll_interval_s: the longest time between two polls of the outbox.
    """

    def __init__(
        self,
        outbox: WebhookOutbox,
        get_behaviour: Callable[[], BehaviourSettings],
        secret: str,
        max_poll_interval_s: float = MAX_POLL_INTERVAL_S,
    ) -> None:
        self._outbox = outbox
        self._get_behaviour = get_behaviour
        self._secret = secret
        self._max_poll_interval_s = max_poll_interval_s
        self._pool = httpcore.ConnectionPool(max_connections=DISPATCHER_THREADS, keepalive_expiry=TIMEOUT_S)
        self._poll_lock = threading.Lock()
        """One thread polls the outbox at a time; a thread with a due message lets the next one poll."""

    def start(self) -> None:
        """Start the threads; they end with the process. Call after a fork."""
        for number in range(DISPATCHER_THREADS):
            threading.Thread(target=self._run, name=f"webhooks-{number}", daemon=True).start()

    def run_once(self, on_message: Callable[[], None] = lambda: None) -> bool:
        """Deliver one message, if one is due; return whether one was.

        Args:
            on_message: called before the delivery.
        """
        behaviour = self._get_behaviour()
        if behaviour.outage or behaviour.webhook_url is None:
            return False
        with self._outbox.lease_next() as message:
            if message is None:
                return False
            on_message()
            if self._send(behaviour.webhook_url, message):
                self._outbox.mark_delivered(message, behaviour)
            else:
                self._outbox.mark_failed(message, behaviour)
            return True

    def _run(self) -> None:
        while True:
            with ExitStack() as polling:
                polling.enter_context(self._poll_lock)
                self._outbox.start_poll()
                try:
                    if not self.run_once(polling.close):
                        time.sleep(MIN_POLL_INTERVAL_S)
                        self._outbox.wait(self._max_poll_interval_s)
                except Exception:  # noqa: BLE001 - after any error, the thread must go on to deliver messages
                    _log.exception("webhook_dispatcher_failed")
                    time.sleep(MIN_POLL_INTERVAL_S)

    def _send(self, url: str, message: WebhookMessage) -> bool:
        correlation.adopt(
            message.ids.get(correlation.REQUEST_ID_HEADER), message.ids.get(correlation.TRACEPARENT_HEADER)
        )
        headers = {
            "Content-Type": "application/json",
            **correlation.outgoing_headers(),
            **webhook_signatures.sign(self._secret, message.id, int(time.time()), message.body),
        }
        try:
            status = self._pool.request(
                "POST", url, headers=list(headers.items()), content=message.body, extensions={"timeout": _TIMEOUTS}
            ).status
        except _FAILURES as error:
            _log.info("webhook_not_delivered", extra={"message_id": message.id, "reason": type(error).__name__})
            return False
        _log.info("webhook_sent", extra={"message_id": message.id, "status": status})
        return 200 <= status < 300
