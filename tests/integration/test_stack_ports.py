import os
import socket
import subprocess
import sys

import pytest

from shop.errors import ConfigurationError
from shop.stack import ports

START = """
import sys
from shop.settings import load_settings
from shop.stack import up
from shop.stack.console import StackConsole
up.run_stack(load_settings(), (sys.executable, "-c", sys.argv[1]), StackConsole())
"""
TAKE_THE_PORT = """
import os, socket
server = socket.create_server(("127.0.0.1", int(os.environ["SHOP_PORT"])))
if not os.fork():
    os.closerange(0, 3)
    server.settimeout(60)
    while server.accept()[0].recv(1) != b"x":
        pass
"""


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_taken_port_is_refused_with_its_holder_and_the_option(taken):
    with pytest.raises(ConfigurationError) as refused:
        ports.require_free("127.0.0.1", taken)
    assert f"Port {taken} is taken by" in str(refused.value)
    assert f"(pid {os.getpid()})" in str(refused.value)
    assert "--port" in str(refused.value)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigurationError, match=r"SHOP_HOST=192\.0\.2\.1"):
        ports.require_free("192.0.2.1", 8080)


def test_server_gets_its_earlier_port_while_that_is_free(taken):
    first = ports.choose_ports(("postgres", "cache"), {})
    assert ports.choose_ports(("postgres", "cache"), first) == first
    assert ports.choose_ports(("postgres",), {"postgres": taken})["postgres"] != taken


def test_two_servers_never_get_one_port():
    free = ports.free_port()
    chosen = ports.choose_ports(("cache", "broker"), {"cache": free, "broker": free})
    assert len(set(chosen.values())) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let nobody listen on a port that is kept")
def test_chosen_port_is_reserved_until_its_server_listens():
    port = ports.free_port()
    others = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from shop.stack import program; print(program.reserve_port({port}, even_if_reserved=False))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert others.stdout == "False\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    for _start in range(2):
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass


def test_port_lost_during_seeding_is_named_and_store_not_started(settings, simulator, tmp_path):
    port = ports.free_port()
    environment = {
        "SHOP_VAR_DIR": str(tmp_path),
        "SHOP_PORT": str(port),
        "DATABASE_URL": settings.database_url,
        "CACHE_URL": settings.cache_url,
        "BROKER_URL": settings.broker_url,
        "PAYMENTS_URL": settings.payments_url,
        "SHOP_PAYMENTS_API_KEY": settings.payments_api_key,
    }
    command = [sys.executable, "-c", START, TAKE_THE_PORT]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x")
    assert f"ConfigurationError: Port {port} is taken by python" in done.stderr
    assert "web" not in done.stdout
