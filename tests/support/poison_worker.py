"""A worker whose only consumer kills the process, like the out-of-memory killer."""

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerProcess

from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.patterns.queue.dispatcher import MessageDispatcher, RetryPolicy
from shop.patterns.queue.message_broker import MessageBroker
from shop.settings import load_settings

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["shop.app"])  # imported once; nothing is connected there, so a fork is clean


def start_poison_worker(database_url: str, broker_url: str, consumer: str) -> ForkServerProcess:
    """Return a process that receives messages; after one crash a message counts as poison."""
    process = _processes.Process(target=_serve, args=(database_url, broker_url, consumer), daemon=True)
    process.start()
    return process


def _serve(database_url: str, broker_url: str, consumer: str) -> None:
    database = Database(build_engine(load_settings(database_url=database_url)))
    transport = MessageBroker(broker_url, [consumer], limit=100)
    if broker_url.startswith("redis"):  # what the one before had in hand is given to the next at once
        transport._broker.heartbeat_timeout, transport._broker.maintenance_chance = 100, 1_000_000
    handlers = {consumer: lambda message: os.kill(os.getpid(), signal.SIGKILL)}
    transport.serve(MessageDispatcher(database, handlers, RetryPolicy(), crashes=1).deliver, threads=1, prefetch=1)
    signal.pause()
