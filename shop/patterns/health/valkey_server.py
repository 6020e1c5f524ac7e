"""Check a Valkey or Redis: run each kind of command that the store uses.

A PING proves little. A cluster node answers it, and so does a full server, a replica, or a server whose user may not
publish; each of them would lose every entry and every message of the store.
"""

import uuid
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.patterns.health.server_faults import CheckFailed, RefusesWrites, UnfitServer

PROBE_MS = 1_000
"""Milliseconds that the trial's key lives, in case its deletion does not reach the server."""
MODES = {
    "cluster": (
        "is a node of a cluster, which spreads keys over several servers",
        "name a single server (it may have replicas): the store's scripts and messages need their keys on one",
    ),
    "sentinel": ("is a Sentinel, which keeps no data", "name the server that it watches"),
}
"""Modes that the store cannot use: the fault, and the remedy."""
NO_EVICTION = (
    "evicts nothing when it is full (maxmemory-policy noeviction) and will refuse every write: set allkeys-lfu, or"
    " another of the allkeys policies"
)
DELETE_KEY = "return redis.call('DEL', KEYS[1])"


def connect(url: str, timeout_s: float) -> redis.Redis:
    """Return a client without retries, with timeouts; it is not connected yet."""
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # without HELLO, name and version of the library: one round trip instead of five
        driver_info=None,
    )


def try_valkey(url: str, timeout_s: float) -> None:
    """Connect to a server as the store does, read its mode, write, run a script and publish.

    Args:
        url: its address, with its password.
        timeout_s: seconds that one connect, one write or one read may take.

    Raises:
        UnfitServer: the server runs in a mode that the store cannot use.
        CheckFailed: the server does not answer, or refuses the password or one of the commands.
    """
    client = connect(url, timeout_s)
    try:
        mode, *answers = _run_trial(client)
    except (redis.RedisError, OSError) as error:
        raise explain_error(error) from error
    finally:
        client.close()
    if mode in MODES:
        raise UnfitServer(*MODES[mode])
    for answer in answers:
        if isinstance(answer, redis.RedisError):
            raise explain_error(answer) from answer


def eviction_fault(url: str, timeout_s: float) -> str:
    """Return the fault of a cache's eviction policy; empty if the policy is suitable or cannot be read.

    Args:
        url: its address, with its password.
        timeout_s: seconds that one connect, one write or one read may take.
    """
    client = connect(url, timeout_s)
    try:
        memory = client.info("memory")
    except (redis.RedisError, OSError):
        return ""  # the server is down, or its user may not read the policy
    finally:
        client.close()
    return NO_EVICTION if memory.get("maxmemory") and memory.get("maxmemory_policy") == "noeviction" else ""


def explain_error(error: Exception) -> CheckFailed:
    """Return the fault that an exception of redis-py means. Pure.

    Args:
        error: the exception.
    """
    reason = str(error).partition("\n")[0].rstrip(".")
    match error:
        case redis.exceptions.AuthenticationError() if "HELLO" in reason or "Authentication required" in reason:
            return CheckFailed("wants a password", "write it into the address, as redis://:PASSWORD@host:6379/0")
        case redis.exceptions.AuthenticationError() if "without any password" in reason:
            return CheckFailed("has no password, and the address names one", "take it out of the address")
        case redis.exceptions.AuthenticationError():
            return CheckFailed("refuses the user or the password of its address", "correct them there")
        case redis.exceptions.NoPermissionError():
            return CheckFailed(f"does not let its user do what the store needs ({reason})", "permit it to that user")
        case redis.exceptions.ReadOnlyError():
            return RefusesWrites("refuses writes: it is a replica", "name its primary")
        case redis.exceptions.OutOfMemoryError():
            return RefusesWrites("refuses writes: its memory is full", "raise its maxmemory, or free some")
        case redis.exceptions.BusyLoadingError():
            return CheckFailed("is still loading its data", "wait for it")
        case redis.exceptions.ResponseError() if "DB index" in reason:
            return CheckFailed("has no database of the number in its address", "write one that it has, such as /0")
        case redis.exceptions.ResponseError():
            return RefusesWrites(f"refuses writes ({reason})", "its own log says why")
    return CheckFailed(f"no answer ({type(error).__name__})")


def _run_trial(client: redis.Redis) -> list[Any]:
    """Run the trial's commands in one packet; return the server's mode (empty if unknown) and the other answers."""
    key = f"shop:1:probe:{uuid.uuid4().hex}"  # for this trial alone, with the prefix that the store's user may use
    trial: Any = client.pipeline(transaction=False)  # redis-py types only part of itself
    trial.execute_command("HELLO")
    trial.set(key, "1", px=PROBE_MS)
    trial.execute_command("EVAL", DELETE_KEY, 1, key)
    trial.publish("shop:1:probe", "")
    hello, *answers = trial.execute(raise_on_error=False)
    if isinstance(hello, redis.exceptions.AuthenticationError):
        raise hello
    properties = dict(zip(hello[::2], hello[1::2], strict=False)) if isinstance(hello, list) else {}
    return [properties.get(b"mode", b"").decode(), *answers]
