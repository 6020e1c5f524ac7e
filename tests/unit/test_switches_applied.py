"""A change of a switch is applied when every web process has read it."""

from types import SimpleNamespace

import pytest

from shop.lab_console.services import LabConsoleServices
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.metrics_summary import MetricsSummary, collect
from shop.switches.registry import SwitchPoller, SwitchSnapshot

OLD = SwitchSnapshot.from_stored({}).digest
NEW = SwitchSnapshot.from_stored({"cache.shared": "off"}).digest


@pytest.mark.parametrize(
    ("snapshots", "applied"),
    [((NEW, NEW), True), ((NEW, OLD), False), ((OLD, OLD), False), ((NEW,), True), ((), False)],
    ids=["both", "one is late", "both are late", "one is starting", "none has read"],
)
def test_change_is_applied_when_every_process_has_read_it(snapshots, applied):
    services = LabConsoleServices(
        settings=None,
        switch_store=SimpleNamespace(load=lambda: {"cache.shared": "off"}),
        poller=None,
        fault_channel=None,
        max_memory=None,
        summarise=lambda: MetricsSummary(0, 0, 0, (), {}, switch_snapshots=snapshots),
        latest_mails=None,
        slots=None,
        load_exercises=None,
        orders=None,
        live=None,
        mails_with_ids=None,
    )
    assert services.switches_applied() is applied


def test_process_reports_each_snapshot_that_it_reads():
    metrics, stored = ProcessMetrics(), {}
    poller = SwitchPoller(lambda: stored, 1.0, on_read=lambda snapshot: metrics.switch_snapshot.set(snapshot.digest))
    poller.refresh()
    assert collect(metrics.registry).switch_snapshots == (OLD,)
    stored["cache.shared"] = "off"
    poller.refresh()
    assert collect(metrics.registry).switch_snapshots == (NEW,)


def test_digest_covers_parameters():
    assert SwitchSnapshot.from_stored({"lab.ttl_scale": "0.5"}).digest != OLD
