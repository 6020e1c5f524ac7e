"""A relay in front of PostgreSQL that counts round trips: how often the client sends data after the server did.

The number of statements differs from the number of round trips: a driver may send several statements in one packet, and
it sends BEGIN and COMMIT itself.
"""

import selectors
import socket
import threading
from types import TracebackType

RECEIVE_BYTES = 65_536


class CountingRelay:
    """Forwards all data in both directions, and counts round trips.

    Args:
        port: the server's port on the loopback address.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "CountingRelay":
        """Return the relay, which already listens."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._relay, args=(client, server), daemon=True).start()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        ends = selectors.DefaultSelector()
        ends.register(client, selectors.EVENT_READ, server)
        ends.register(server, selectors.EVENT_READ, client)
        last_sender = server
        while True:
            for key, _ in ends.select():
                source = client if key.fileobj is client else server
                received = source.recv(RECEIVE_BYTES)
                if not received:
                    client.close()
                    server.close()
                    return
                if source is client and last_sender is server:
                    self.count += 1
                last_sender = source
                key.data.sendall(received)
