"""The page ``/docs``: the built documentation site, or how to build it."""

import shutil

import pytest


@pytest.fixture
def site(settings):
    """The folder of the site, empty, where no build has been."""
    folder = settings.var_dir / "docs"
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


def test_page_says_how_to_build_the_site(client):
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert "make docs" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    page = client.get("/docs/patterns/stock.html")
    assert (page.status_code, page.headers["Cache-Control"]) == (404, "no-store")
    assert "make docs" in page.text


def test_site_is_served_with_the_headers_of_the_store(client, site):
    (site / "index.html").write_text("<title>The site</title>")
    (site / "patterns").mkdir()
    (site / "patterns" / "stock.html").write_text("<title>Stock</title>")
    assert client.get("/docs").headers["Location"] == "/docs/index.html"
    answer = client.get("/docs/patterns/stock.html")
    assert "<title>Stock</title>" in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["ETag"].startswith("W/")
    answer.close()


def test_missing_page_of_built_site_is_not_found(client, site):
    (site / "index.html").write_text("<title>The site</title>")
    answer = client.get("/docs/patterns/no-such.html")
    assert answer.status_code == 404
    assert "make docs" not in answer.text


def test_exercises_link_their_pages_on_the_site(client, site):
    path = "docs/exercises/01-hit-rate/README"
    assert f'href="/{path}.html"' not in client.get("/lab/exercises").text
    (site / "index.html").write_text("<title>The site</title>")
    assert f'href="/{path}.html">{path}.md</a>' in client.get("/lab/exercises").text


def test_no_file_outside_the_site_is_served(client, site, settings):
    (site / "index.html").write_text("<title>The site</title>")
    (settings.var_dir / "secret").write_text("key")
    for path in ("/docs/../secret", "/docs/%2e%2e/secret", "/docs/x/../../secret"):
        assert client.get(path).status_code == 404
    (settings.var_dir / "secret").unlink()
