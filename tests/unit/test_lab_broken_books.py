"""Whose a mismatch is: what an experiment leaves is noted, and nothing else."""

from datetime import UTC, datetime

import pytest

from shop.lab.broken_books import FILE_NAME, BrokenBooks, record_new_mismatches

DAY = datetime(2026, 1, 2, tzinfo=UTC)
OLD, NEW = ("stock", "red-mug"), ("order_twice", "a b")


def leave(folder, looks, said=None):
    """Let an experiment run between two looks into the books."""
    shown = iter(looks)
    with record_new_mismatches("flash-sale", folder, lambda: next(shown), DAY, (said or []).append):
        pass


def test_only_what_came_with_the_experiment_is_noted_as_its_own(tmp_path):
    leave(tmp_path, [{OLD}, {OLD, NEW}])
    assert BrokenBooks(tmp_path).experiments_by_mismatch() == {NEW: "flash-sale, 2026-01-02"}


def test_what_is_known_stays_whose_it_is(tmp_path):
    books = BrokenBooks(tmp_path)
    books.add([NEW], "flash-sale, 2026-01-02")
    books.add([OLD, NEW], "checkout-partial-write, 2026-01-03")
    assert books.experiments_by_mismatch() == {NEW: "flash-sale, 2026-01-02", OLD: "checkout-partial-write, 2026-01-03"}


def test_an_experiment_that_fails_leaves_its_note(tmp_path):
    shown = iter([set(), {NEW}])
    with pytest.raises(KeyboardInterrupt), record_new_mismatches("x", tmp_path, lambda: next(shown), DAY, [].append):
        raise KeyboardInterrupt
    assert NEW in BrokenBooks(tmp_path).experiments_by_mismatch()


@pytest.mark.parametrize(
    ("left", "words"),
    [(set(), "nothing of it is left"), ({NEW}, "1 mismatch of it stays"), ({OLD, NEW}, "2 mismatches of it stay")],
)
def test_what_is_left_is_said(tmp_path, left, words):
    said, shown = [], iter([set(), left])
    with record_new_mismatches("flash-sale", tmp_path, lambda: next(shown), DAY, said.append):
        pass
    assert words in said[0]
    assert ("shop reset" in said[0]) is bool(left)


@pytest.mark.parametrize("text", ["", "[1]", '[{"kind": "stock"}]', "{"])
def test_a_note_that_cannot_be_read_says_nothing(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    assert BrokenBooks(tmp_path).experiments_by_mismatch() == {}
