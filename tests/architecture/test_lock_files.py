"""The lock files agree: `make docs` or `make realdata` after `make test` replaces no tested version."""

import re

import pytest

from shop.settings import PROJECT_ROOT

PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==([^ ]+)", re.MULTILINE)


def pins(name):
    """Return each package of a lock file with its version; a package may have one for each Python."""
    return set(PIN.findall((PROJECT_ROOT / name).read_text()))


@pytest.mark.parametrize("part", ["", "-docs", "-realdata"])
def test_lock_file_has_only_versions_of_the_tests(part):
    found = pins(f"requirements{part}.lock")
    assert len(found) > 50
    assert found - pins("requirements-dev.lock") == set()
