"""A client of Valkey whose commands a check observes, so that it can act for another process between two of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis


class ObservedValkey:
    """A client that an attempt uses.

    The commands of one pipeline are not observed one by one.

    Args:
        client: of redis-py; its commands are observed from now on.
        after_command: called after each.
    """

    def __init__(self, client: "Redis", after_command: Callable[[], object]) -> None:
        self.client = client
        self.execute: Callable[..., Any] = client.execute_command
        """Sends a command for another process: it is not observed."""
        self.commands: list[str] = []
        """The names of the attempt's commands."""
        self._after_command = after_command
        client.execute_command = self._execute_command  # type: ignore[method-assign]

    @property
    def last(self) -> str:
        """Return the name of the last command."""
        return self.commands[-1]

    def _execute_command(self, *words: Any, **options: Any) -> Any:
        reply = self.execute(*words, **options)
        self.commands.append(str(words[0]))
        self._after_command()
        return reply
