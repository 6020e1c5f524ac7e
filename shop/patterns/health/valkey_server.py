"""Whether a Valkey or Redis is one the store can use: what the store will ask of it is tried.

A PING proves little. A node of a cluster answers it, and so does a server that is full, a replica, and one whose user
may not publish; each would lose every entry and every message of the store.
"""

import uuid
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.patterns.health.server_faults import CheckFailed, RefusesWrites, UnfitServer

PROBE_MS = 1_000
"""How long a key that was written to try it lives, should the second half of the trial not reach the server."""
MODES = {
    "cluster": (
        "is a node of a cluster, which spreads keys over several servers",
        "name a single server (it may have replicas): the store's scripts and messages need their keys on one",
    ),
    "sentinel": ("is a Sentinel, which keeps no data", "name the server that it watches"),
}
"""Modes the store cannot use: what is wrong, and what to do."""
NO_ROOM = (
    "evicts nothing when it is full (maxmemory-policy noeviction) and will refuse every write: set allkeys-lfu, or"
    " another of the allkeys policies"
)
TAKE = "return redis.call('DEL', KEYS[1])"


def connect(url: str, timeout_s: float) -> redis.Redis:
    """Return a client that tries everything once and waits for nothing longer than it may; not connected yet."""
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # and no name and version of the library: one round trip instead of five
        driver_info=None,
    )


def try_valkey(url: str, timeout_s: float) -> None:
    """Connect to a server as the store does, ask its mode, write, run a script and publish.

    Args:
        url: where it is, with its password.
        timeout_s: what one connect, one write or one read may take, in seconds.

    Raises:
        UnfitServer: it runs in a mode the store cannot use.
        CheckFailed: it does not answer, refuses the password, or one of the commands.
    """
    client = connect(url, timeout_s)
    try:
        mode, *tried = _try(client)
    except (redis.RedisError, OSError) as error:
        raise explain_error(error) from error
    finally:
        client.close()
    if mode in MODES:
        raise UnfitServer(*MODES[mode])
    for answer in tried:
        if isinstance(answer, redis.RedisError):
            raise explain_error(answer) from answer


def eviction_fault(url: str, timeout_s: float) -> str:
    """Return why what a cache does when it is full does not fit; empty where it fits, or where it does not tell.

    Args:
        url: where it is, with its password.
        timeout_s: what one connect, one write or one read may take, in seconds.
    """
    client = connect(url, timeout_s)
    try:
        found = client.info("memory")
    except (redis.RedisError, OSError):
        return ""  # it is away, or its user may not look
    finally:
        client.close()
    return NO_ROOM if found.get("maxmemory") and found.get("maxmemory_policy") == "noeviction" else ""


def explain_error(error: Exception) -> CheckFailed:
    """Return what a refusal or a lost connection means. Pure.

    Args:
        error: as redis-py has raised it.
    """
    said = str(error).partition("\n")[0].rstrip(".")
    match error:
        case redis.exceptions.AuthenticationError() if "HELLO" in said or "Authentication required" in said:
            return CheckFailed("wants a password", "write it into the address, as redis://:PASSWORD@host:6379/0")
        case redis.exceptions.AuthenticationError() if "without any password" in said:
            return CheckFailed("has no password, and the address names one", "take it out of the address")
        case redis.exceptions.AuthenticationError():
            return CheckFailed("refuses the user or the password of its address", "correct them there")
        case redis.exceptions.NoPermissionError():
            return CheckFailed(f"does not let its user do what the store needs ({said})", "permit it to that user")
        case redis.exceptions.ReadOnlyError():
            return RefusesWrites("refuses writes: it is a replica", "name its primary")
        case redis.exceptions.OutOfMemoryError():
            return RefusesWrites("refuses writes: its memory is full", "raise its maxmemory, or free some")
        case redis.exceptions.BusyLoadingError():
            return CheckFailed("is still loading its data", "wait for it")
        case redis.exceptions.ResponseError() if "DB index" in said:
            return CheckFailed("has no database of the number in its address", "write one that it has, such as /0")
        case redis.exceptions.ResponseError():
            return RefusesWrites(f"refuses writes ({said})", "its own log says why")
    return CheckFailed(f"no answer ({type(error).__name__})")


def _try(client: redis.Redis) -> list[Any]:
    """Return the server's mode, empty where it does not tell, and the answers to what was tried, in one packet."""
    key = f"shop:1:probe:{uuid.uuid4().hex}"  # of this trial alone, under the prefix the store's user may use
    trial: Any = client.pipeline(transaction=False)  # redis-py types only part of itself
    trial.execute_command("HELLO")
    trial.set(key, "1", px=PROBE_MS)
    trial.execute_command("EVAL", TAKE, 1, key)
    trial.publish("shop:1:probe", "")
    hello, *tried = trial.execute(raise_on_error=False)
    if isinstance(hello, redis.exceptions.AuthenticationError):
        raise hello
    told = dict(zip(hello[::2], hello[1::2], strict=False)) if isinstance(hello, list) else {}
    return [told.get(b"mode", b"").decode(), *tried]
