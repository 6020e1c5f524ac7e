#!/bin/sh
# dramatiq: a message that a blocked RabbitMQ was said not to have taken is delivered six times.
#
# Software: dramatiq 2.2.1, pika 1.4.4, PyPI; RabbitMQ 3.10.8 (Debian 12: rabbitmq-server 3.10.8-1.1+deb12u1, which has to be
#   installed). Needs: python3 with venv.
# Expected before running: with confirm_delivery and blocked_connection_timeout=1 a broker that is out of memory makes
#   enqueue() raise after one second, and the message is nowhere.
# Seen: enqueue() tries six times, a second each, and raises ConnectionClosed after six. RabbitMQ stops reading a connection
#   that publishes, but what was sent lies in it: once it has room it takes each, and six copies with one message id wait.
# What follows: the bound on a caller's wait is a sixth of what it may be; an outbox that tries again makes more. Consumers
#   remember message ids.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install dramatiq==2.2.1 pika==1.4.4
cat >"$home/probe.py" <<'PY'
"""Take RabbitMQ's memory away, enqueue one message, give the memory back, and count what waits."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import dramatiq
import pika
from dramatiq.brokers.rabbitmq import RabbitmqBroker

home, programs = pathlib.Path(sys.argv[1]), pathlib.Path("/usr/lib/rabbitmq/bin")
if not programs.exists():
    sys.exit("RabbitMQ is not installed")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


mapper, port = free_port(), free_port()
environment = {
    **os.environ,
    "HOME": str(home),
    "ERL_EPMD_PORT": str(mapper),
    "RABBITMQ_NODENAME": f"probe{port}@localhost",
    "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
    "RABBITMQ_NODE_PORT": str(port),
    "RABBITMQ_DIST_PORT": str(free_port()),
    "RABBITMQ_MNESIA_BASE": str(home / "data"),
    "RABBITMQ_LOG_BASE": str(home / "log"),
    "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
    "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
}


def control(*words):
    command = [programs / "rabbitmqctl", "--node", environment["RABBITMQ_NODENAME"], *words]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def until_it_listens():
    for _ in range(900):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
    sys.exit("RabbitMQ did not start")


def waiting():
    """Return the ids of the messages that wait, and how often each does."""
    found = Counter()
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)) as connection:
        channel = connection.channel()
        while (got := channel.basic_get("letters", auto_ack=True))[0] is not None:
            found[dramatiq.Message.decode(got[2]).message_id] += 1
    return found


quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
started = [subprocess.Popen(["epmd", "-port", str(mapper), "-address", "127.0.0.1"], **quiet)]
started.insert(0, subprocess.Popen([programs / "rabbitmq-server"], **quiet))
try:
    until_it_listens()
    parameters = {"host": "127.0.0.1", "port": port, "blocked_connection_timeout": 1.0}
    broker = RabbitmqBroker(parameters=[parameters], middleware=[], confirm_delivery=True)
    broker.declare_queue("letters", ensure=True)
    control("set_vm_memory_high_watermark", "0.000001")
    time.sleep(2)
    message = dramatiq.Message(queue_name="letters", actor_name="send", args=(), kwargs={}, options={})
    began = time.monotonic()
    try:
        broker.enqueue(message)
        outcome = "taken"
    except dramatiq.ConnectionClosed as error:
        outcome = type(error).__name__
    seconds = time.monotonic() - began
    control("set_vm_memory_high_watermark", "0.9")
    time.sleep(2)
    copies = waiting()[message.message_id]
    print("RabbitMQ", control("version"), end=": ")
finally:
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
print(f"{outcome} after {seconds:.1f} s with a time-out of 1 s; {copies} copies wait")
sys.exit(0 if outcome == "ConnectionClosed" and seconds > 5 and copies == 6 else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home"
