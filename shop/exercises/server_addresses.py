"""Where the servers of a check are. A plain dataclass: see ``check_rule``."""

from dataclasses import dataclass

SCHEMA = "exercise_check"


@dataclass(frozen=True)
class ServerAddresses:
    """The part of the servers that belongs to one check of an attempt.

    Args:
        valkey_url: one numbered database of a Valkey; empty if the exercise does not use it.
        database_url: a PostgreSQL database; empty if the exercise does not use it.
        memcached_path: the socket of a Memcached; empty if the exercise does not use it.
    """

    valkey_url: str = ""
    database_url: str = ""
    memcached_path: str = ""

    @staticmethod
    def schema(number: int) -> str:
        """Return the name of the schema of one behavioural check.

        Args:
            number: of the check in its exercise, from 0.
        """
        return f"{SCHEMA}_{number}"


NO_SERVERS = ServerAddresses()
