"""What is counted from nginx' log, while nginx goes on writing it."""

from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from shop.patterns.edge.access_log import AccessLog, Tally
from shop.patterns.observability.figures import collect


def line(said, name="catalogue"):
    return f'{{"ts":1.0,"path":"/p/a\\"b","cache":"shop-edge; {said}","class":"{name}","client":"127.0.0.1"}}\n'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "edge.jsonl"


def write(path, text, mode="a"):
    with path.open(mode) as log:
        log.write(text)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("hit; ttl=3", "hit"),
        ("hit; detail=updating", "hit-stale"),
        ("hit; detail=error", "hit-stale"),
        ("fwd=miss; stored", "miss"),
        ("fwd=stale; stored", "stale"),
        ("fwd=miss; detail=not-writable", "unstored"),
        ("fwd=stale; detail=not-writable", "unstored"),
        ("fwd=bypass", "bypass"),
    ],
)
def test_each_line_is_one_look_up(path, said, outcome):
    log = AccessLog(path)
    write(path, line(said))
    assert log.read() == {("catalogue", outcome): 1}
    assert not log.read()


def test_a_class_that_is_none_of_ours_is_not_a_label(path):
    log = AccessLog(path)
    write(path, line("fwd=miss", "made-up") + line("fwd=bypass", ""))
    assert log.read() == {("none", "miss"): 1, ("none", "bypass"): 1}


def test_what_an_earlier_server_wrote_is_not_counted(path):
    write(path, line("hit"))
    log = AccessLog(path)
    assert not log.read()


def test_a_line_that_is_not_all_there_is_counted_once_it_is(path):
    log = AccessLog(path)
    whole = line("hit")
    write(path, whole + whole[:70])
    assert log.read() == {("catalogue", "hit"): 1}
    write(path, whole[70:])
    assert log.read() == {("catalogue", "hit"): 1}


def test_nothing_is_lost_when_the_log_is_moved_aside(path):
    write(path, line("hit"))
    log = AccessLog(path)
    write(path, line("hit"))
    path.replace(path.with_name("edge.1.jsonl"))
    assert log.read() == {("catalogue", "hit"): 1}
    write(path.with_name("edge.1.jsonl"), line("hit"))  # nginx has not been told yet
    write(path, line("fwd=miss"))
    assert log.read() == {("catalogue", "hit"): 1, ("catalogue", "miss"): 1}


def test_the_edge_is_shown_as_a_layer_of_its_own(path):
    tally = Tally(path)
    write(path, line("hit") + line("hit; detail=error", "reference") + line("fwd=miss") + line("fwd=bypass", ""))
    for _ in range(2):
        (layer,) = collect(CollectorRegistry(), tally.total()).layers
        assert (layer.name, layer.asked, layer.hits) == ("shop-edge", 3, 2)


def test_without_an_edge_there_is_no_such_layer():
    assert collect(CollectorRegistry(), Counter()).layers == ()
