"""The containers run the same code with the same variables as the stack."""

import re

import pytest
import yaml

from shop.settings import PROJECT_ROOT, load_settings
from shop.stack import http_servers, postgres, valkey
from shop.stack.program import Program

COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "shop"]


@pytest.fixture
def complete(tmp_path):
    return load_settings(var_dir=tmp_path, secret_key="a key")


def words(service: str) -> list[str]:
    return SERVICES[service]["command"]


def options(program: Program) -> dict[str, str]:
    return {name: value for name, value in zip(program.argv, program.argv[1:], strict=False) if name.startswith("--")}


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
