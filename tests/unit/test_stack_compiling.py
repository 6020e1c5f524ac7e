"""What root compiles before it becomes the account of the servers, which cannot write beside root's sources."""

import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from shop.stack import privileges
from shop.stack.privileges import compile_sources

LIBRARY = "gunicorn.errors"


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """A checkout of one file, and compiled files in a place of their own: none yet."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "store.py").write_text("OPEN = True\n")
    compiled = tmp_path / "compiled"
    monkeypatch.setattr(privileges, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(privileges, "SERVER_MODULES", (LIBRARY,))
    monkeypatch.setattr(sys, "pycache_prefix", str(compiled))
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(compiled))  # of the process that imports
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return compiled


def names(compiled):
    return {path.name.partition(".")[0] for path in compiled.rglob("*.pyc")}


def test_the_stores_code_and_the_libraries_it_imports_are_compiled(compiled):
    compile_sources()
    assert {"store", "errors"} <= names(compiled)


def test_libraries_that_their_installer_has_compiled_are_not_imported(compiled, tmp_path, monkeypatch):
    source = tmp_path / "installed_library.py"
    source.write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    there = Path(cache_from_source(str(source)))
    there.parent.mkdir(parents=True)
    there.touch()
    monkeypatch.setattr(privileges, "COMPILED_LIBRARY", "installed_library")
    compile_sources()
    assert names(compiled) == {"store", "installed_library"}
