"""The archive for machines without a network."""

import os
import runpy
import subprocess
import sys
import tarfile

import pytest

from shop.settings import PROJECT_ROOT

MAKER = PROJECT_ROOT / "deploy" / "make_bundle.py"
NOWHERE = "http://127.0.0.1:9/"
"""Nothing listens there."""
OFFLINE = {"PIP_INDEX_URL": NOWHERE, "HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "PIP_CONFIG_FILE": os.devnull}


@pytest.fixture
def maker():
    """The names of the script that makes the archive."""
    return runpy.run_path(str(MAKER))


def unpack(archive, folder):
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / "shop"


def test_archive_has_checkout_and_packages_and_no_data(maker, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "something-1.0-py3-none-any.whl").write_bytes(b"PK")
    archive = tmp_path / "bundle.tar.gz"
    maker["write_archive"](archive, wheels)
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
    names = {member.name for member in members}
    assert {"shop/Makefile", "shop/docs/exercises/01-hit-rate/README.md", "shop/.importlinter"} <= names
    assert "shop/wheels/something-1.0-py3-none-any.whl" in names
    ours = {name.split("/")[1] for name in names}
    assert ours.isdisjoint({".git", ".venv", "var", "exercises", "dist"})
    assert {(member.uid, member.uname) for member in members} == {(0, "")}
    shop = unpack(archive, tmp_path / "there")
    assert maker["machines"]() in (shop / "wheels" / "FOR-WHICH-MACHINES.txt").read_text()
    printed = subprocess.run(["make", "-C", shop, "-pn", "clean"], capture_output=True, text=True, check=True).stdout
    assert "PIP_NO_INDEX := 1" in printed
    assert "PIP_FIND_LINKS := wheels" in printed


def test_checkout_without_git_is_archived_without_ignored_files(maker, tmp_path, monkeypatch):
    for name in ("shop/a.py", "docs/exercises/01/README.md", "var/pg/data", ".venv/bin/x", "exercises/04/attempt.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    monkeypatch.setitem(maker["checkout_files"].__globals__, "ROOT", tmp_path)
    assert set(maker["checkout_files"]()) == {"shop/a.py", "docs/exercises/01/README.md"}


@pytest.mark.long  # the tests above cover the content and that `make` installs from it; this one downloads 250 MB
def test_machine_without_a_network_installs_from_the_bundle(tmp_path):
    archive = tmp_path / "bundle.tar.gz"
    subprocess.run([sys.executable, MAKER, "--out", archive], check=True)
    shop = unpack(archive, tmp_path)
    environment = {**os.environ, **OFFLINE}
    command = ["make", "-C", shop, f"PYTHON={sys.executable}", ".venv/.ready-to-test"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = subprocess.run([shop / "bin/shop", "exercise", "list"], capture_output=True, text=True)
    assert (listed.returncode, "01" in listed.stdout) == (0, True), listed.stderr
