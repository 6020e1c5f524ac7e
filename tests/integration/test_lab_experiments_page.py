"""The page ``/lab/experiments``: experiments, the holder of the lab, history and results, from the lab's files."""

import json
import re
import shutil

import pytest

from shop.cli.reference import FIGURES
from shop.lab.experiment import load_experiments
from shop.lab.lab_lock import claim_lab, find_holder
from shop.lab.progress_file import show_progress

RUN = "20261130T090000-cache-aside"
RESULT = {
    "experiment": "cache-aside",
    "title": "Cache-aside on Valkey",
    "hypothesis": "It is quicker.",
    "verdict": "confirmed",
    "reason": "Every claim holds.",
    "started_at": "2026-11-30T09:00:00+00:00",
    "runs": 2,
    "ratios": {},
    "spread": {},
    "arms": [],
    "headline": {
        "claim": "ratios.p50_off_over_on >= 2",
        "says": "{figure} times quicker with the cache",
        "figure": 9.0,
        "low": 8.0,
        "high": 10.0,
        "unit": "",
        "outcome": "holds",
    },
}
ARM = {
    "name": "on",
    "title": "with the cache",
    "switches": {},
    "p50_ms": 2.0,
    "hit_rate": {},
    "measures": {},
    "spread": {"p50_ms": {"min": 2.0, "max": 2.0}},
}
SENTENCE = "9.00 times quicker with the cache (8.00 to 10.0 in 2 runs); claimed at least 2: yes."


@pytest.fixture
def folder(settings):
    """The folder of the lab's files."""
    folder = settings.var_dir / "lab"
    home = folder / RUN
    home.mkdir(parents=True)
    (home / "result.json").write_text(json.dumps(RESULT))
    yield folder
    shutil.rmtree(home)


@pytest.fixture
def later_run(folder):
    """The name of a slower run, an hour after the first."""
    first, second = folder / RUN, folder / RUN.replace("T09", "T10")
    slower = {**ARM, "p50_ms": 4.0, "spread": {"p50_ms": {"min": 4.0, "max": 4.0}}}
    (first / "result.json").write_text(json.dumps({**RESULT, "machine": {}, "arms": [ARM]}))
    later = {**RESULT, "machine": {}, "arms": [slower], "runs": 3, "started_at": "2026-11-30T10:00:00+00:00"}
    second.mkdir()
    (second / "result.json").write_text(json.dumps(later))
    yield second.name
    shutil.rmtree(second)


def text_of(response):
    """Return the words of a page."""
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.text.partition("<main")[2]).split())


def test_page_lists_every_experiment_and_the_verdicts_of_its_runs(client, folder):
    page = text_of(client.get("/lab/experiments"))
    for one in load_experiments().values():
        assert one.title in page.replace("&#39;", "'")
    assert page.count(SENTENCE) == 2, "with its experiment, and in the history"
    assert "The lab is free" in page
    assert 'http-equiv="refresh"' not in client.get("/lab/experiments").text


def test_page_says_who_holds_the_lab_and_reloads_itself(client, folder):
    with claim_lab(folder), show_progress(folder, 80) as progress:
        progress.phase("run 1 of 2: warm-up")
        holder = find_holder(folder)
        response = client.get("/lab/experiments")
        refused = client.post("/lab/experiments/run", data={"experiment": "cache-aside"})
    page = text_of(response)
    assert f"pid {holder.pid}, since {holder.since[11:19]} UTC" in page
    assert "of about 80 s: run 1 of 2: warm-up" in page
    assert "Ctrl-C there ends it" in page
    assert 'http-equiv="refresh"' in response.text
    assert refused.status_code == 409
    assert "The lab is free" in text_of(client.get("/lab/experiments"))


def test_a_run_shows_its_sentence_first(client, folder):
    assert text_of(client.get(f"/lab/experiments/runs/{RUN}")).partition("UTC")[2].strip().startswith(SENTENCE)
    assert client.get("/lab/experiments/runs/none").status_code == 404


def test_two_runs_stand_side_by_side(client, folder, later_run):
    page = client.get("/lab/experiments").text
    assert page.count(f'<option value="{later_run}"') == 2
    assert f"/lab/experiments/compare?first={RUN}" in client.get(f"/lab/experiments/runs/{later_run}").text
    compared = text_of(client.get("/lab/experiments/compare", query_string={"first": RUN, "second": later_run}))
    assert f"{ARM['title']} First Second Median wait 2.00 ms 4.00 ms" in compared
    assert compared.count("09:00:00 UTC") == 1
    assert compared.count("10:00:00 UTC") == 1
    assert "The arms were measured 2 and 3 times." in compared


@pytest.mark.parametrize(
    ("query", "status"), [({}, 400), ({"first": RUN}, 400), ({"first": RUN, "second": "../latest"}, 404)]
)
def test_a_comparison_needs_two_runs_of_the_history(client, folder, query, status):
    assert client.get("/lab/experiments/compare", query_string=query).status_code == status


def test_report_is_a_file_to_share_drawn_anew(client, folder):
    assert client.get("/lab/experiments/runs/none/report.html").status_code == 404
    shutil.copy(FIGURES / "checkout-retries.json", folder / RUN / "result.json")
    (folder / RUN / "report.html").write_text("as an earlier release drew it: 0.00")
    response = client.get(f"/lab/experiments/runs/{RUN}/report.html")
    assert response.headers["Content-Disposition"] == f"attachment; filename={RUN}.html"
    assert response.headers["Cache-Control"] == "no-store"
    for page in (response.text, client.get(f"/lab/experiments/runs/{RUN}").text):
        assert "Surplus paid orders" in page
        assert "Generator, of one core" not in page, "its driver has no generator"


def test_an_unknown_order_is_refused(client):
    assert client.post("/lab/experiments/run", data={"experiment": "--url"}).status_code == 422
    assert client.post("/lab/experiments/load", data={"rate": "9999", "seconds": "5"}).status_code == 422
