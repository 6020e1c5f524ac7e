"""Each mismatch that an experiment leaves is recorded under its name, and no other mismatch."""

from datetime import UTC, datetime

import pytest

from shop.lab.broken_books import FILE_NAME, BrokenBooks, record_new_mismatches

DAY = datetime(2026, 1, 2, tzinfo=UTC)
OLD, NEW = ("stock", "red-mug"), ("order_twice", "a b")


def run_experiment(folder, audits, reported=None):
    """Run an experiment between two audits of the books."""
    results = iter(audits)
    reports = [] if reported is None else reported
    with record_new_mismatches("flash-sale", folder, lambda: next(results), DAY, reports.append):
        pass


def test_only_mismatches_made_by_the_experiment_are_recorded(tmp_path):
    run_experiment(tmp_path, [{OLD}, {OLD, NEW}])
    assert BrokenBooks(tmp_path).experiments_by_mismatch() == {NEW: "flash-sale, 2026-01-02"}


def test_the_first_experiment_recorded_for_a_mismatch_stays(tmp_path):
    books = BrokenBooks(tmp_path)
    books.add([NEW], "flash-sale, 2026-01-02")
    books.add([OLD, NEW], "checkout-partial-write, 2026-01-03")
    assert books.experiments_by_mismatch() == {NEW: "flash-sale, 2026-01-02", OLD: "checkout-partial-write, 2026-01-03"}


def test_a_failing_experiment_still_records_its_mismatches(tmp_path):
    audits = iter([set(), {NEW}])
    with pytest.raises(KeyboardInterrupt), record_new_mismatches("x", tmp_path, lambda: next(audits), DAY, [].append):
        raise KeyboardInterrupt
    assert NEW in BrokenBooks(tmp_path).experiments_by_mismatch()


@pytest.mark.parametrize(
    ("remaining", "words"),
    [(set(), "no mismatch remains"), ({NEW}, "1 mismatch remains"), ({OLD, NEW}, "2 mismatches remain")],
)
def test_the_remaining_mismatches_are_reported(tmp_path, remaining, words):
    reported = []
    run_experiment(tmp_path, [set(), remaining], reported)
    assert words in reported[0]
    assert ("bin/shop reset" in reported[0]) is bool(remaining)


@pytest.mark.parametrize("text", ["", "[1]", '[{"kind": "stock"}]', "{"])
def test_an_unreadable_record_counts_as_empty(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    assert BrokenBooks(tmp_path).experiments_by_mismatch() == {}
