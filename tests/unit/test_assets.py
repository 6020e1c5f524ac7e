import os
import shutil
from pathlib import Path

import pytest
from flask import Flask

from shop.web import assets


def build(folder: Path) -> Flask:
    app = Flask(__name__, static_folder=str(folder))
    assets.install(app)
    return app


def address(app: Flask, filename: str) -> str:
    with app.test_request_context("/"):
        return app.jinja_env.globals["static_url"](filename)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "page.js").write_text('import "./toast.js";')
    (tmp_path / "js" / "toast.js").write_text("1")
    return tmp_path


def test_an_asset_may_be_kept_for_ever(folder):
    app = build(folder)
    with app.test_client().get(address(app, "js/page.js")) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_imported_script_is_cached_for_ever_too(folder):
    app = build(folder)
    imported = address(app, "js/page.js").replace("page.js", "toast.js")
    assert imported == address(app, "js/toast.js")
    with app.test_client().get(imported) as answer:
        assert "immutable" in answer.headers["Cache-Control"]


def test_every_address_changes_when_any_file_does(folder):
    before = address(build(folder), "js/page.js")
    (folder / "js" / "toast.js").write_text("2")
    assert address(build(folder), "js/page.js") != before


def test_a_file_that_is_renamed_changes_the_addresses(folder):
    before = address(build(folder), "js/page.js")
    (folder / "js" / "toast.js").rename(folder / "js" / "note.js")
    assert address(build(folder), "js/page.js") != before


def test_a_page_from_before_a_deployment_still_finds_its_files(folder):
    with build(folder).test_client().get("/assets/000000000000/js/page.js") as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-cache"


def test_the_validator_is_made_of_the_bytes_wherever_they_lie(folder, tmp_path):
    other = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    shutil.copytree(folder, other)
    os.utime(other / "js" / "page.js", (1, 1))
    validators = set()
    for place in (folder, other):
        app = build(place)
        with app.test_client().get(address(app, "js/page.js")) as answer:
            validators.add(answer.headers["ETag"])
            assert "Last-Modified" not in answer.headers
    [validator] = validators
    assert validator.startswith('W/"')
    for header, status, body in (({"If-None-Match": validator}, 304, b""), ({"Range": "bytes=0-5"}, 206, b"import")):
        with app.test_client().get(address(app, "js/page.js"), headers=header) as answer:
            assert (answer.status_code, answer.data, answer.headers["ETag"]) == (status, body, validator)


@pytest.mark.parametrize("filename", ["nothing.js", "../secret", "js/../../secret", "%2e%2e/secret"])
def test_nothing_outside_the_folder_is_served(folder, filename):
    (folder.parent / "secret").write_text("s")
    app = build(folder)
    assert app.test_client().get(f"/assets/0/{filename}").status_code == 404
