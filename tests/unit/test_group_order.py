import pytest

from tests.support.group_order import SPREAD, spread_groups


@pytest.mark.parametrize(("groups", "single"), [(0, 7), (3, 0), (3, 2), (3, 100)])
def test_every_test_is_handed_out_once(groups, single):
    ordered = spread_groups([[f"{n}a", f"{n}b"] for n in range(groups)], range(single))
    assert sorted(map(str, ordered)) == sorted(
        [f"{n}{part}" for n in range(groups) for part in "ab"] + [*map(str, range(single))]
    )


def test_groups_begin_one_by_one_among_the_first_single_tests():
    begun = [number for number, one in enumerate(spread_groups([["a"]] * 4, [0] * 100)) if one == "a"]
    assert begun == [0, 21, 42, 63]
    assert begun[-1] < SPREAD * 104
