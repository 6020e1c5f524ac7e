"""The drawing of the components shows the imports between the store's packages, and no others."""

import re
from itertools import pairwise, permutations

import grimp
import pytest

from shop.settings import PROJECT_ROOT

DRAWING = PROJECT_ROOT / "docs" / "drawings" / "components.dot"


def drawn():
    """Return each arrow as a pair of packages."""
    pairs = set()
    for line in DRAWING.read_text(encoding="utf-8").splitlines():
        boxes = [set(re.findall(r"\w+", part)) for part in line.split("->")]
        for importers, imported in pairwise(boxes):
            pairs |= {(importer, other) for importer in importers for other in imported}
    return pairs


@pytest.fixture(scope="module")
def imports():
    """Return each direct import between two packages that the diagram shows."""
    graph = grimp.build_graph("shop", cache_dir=None)
    boxes = {box for arrow in drawn() for box in arrow}
    return {
        (importer, other)
        for importer, other in permutations(boxes, 2)
        if graph.direct_import_exists(importer=f"shop.{importer}", imported=f"shop.{other}", as_packages=True)
    }


def led_to(box):
    """Return the packages to which arrows lead from a box."""
    found, to_visit = set(), [box]
    while to_visit:
        here = to_visit.pop()
        beyond = {other for importer, other in drawn() if importer == here} - found
        found |= beyond
        to_visit += beyond
    return found


def test_each_arrow_is_an_import(imports):
    assert sorted(drawn() - imports) == []


def test_each_import_has_arrows_that_lead_there(imports):
    assert sorted((importer, other) for importer, other in imports if other not in led_to(importer)) == []
