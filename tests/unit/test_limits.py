"""The table of limits: each value is read from its owner, and no two contradict each other."""

import os
import re
import subprocess
import sys

import pytest

from shop.errors import ConfigurationError
from shop.limit_rules import RULES, contradictions, require_consistent
from shop.limit_values import read_owner
from shop.limits import ENTRIES, LIMITS
from shop.settings import Settings, load_settings, variable
from shop.stack import gunicorn_conf, postgres
from shop.web import security

DEFAULTS = Settings.model_construct()
IMPOSSIBLE = [
    ({"db_lock_timeout_ms": 6_000}, "SHOP_DB_LOCK_TIMEOUT_MS", "SHOP_DB_STATEMENT_TIMEOUT_MS"),
    ({"db_statement_timeout_ms": 8_000}, "SHOP_DB_STATEMENT_TIMEOUT_MS", "SHOP_REQUEST_TIMEOUT_MS"),
    ({"db_statement_timeout_ms": 5_500}, "SHOP_DB_STATEMENT_TIMEOUT_MS", "fill wait"),
    ({"db_pool_timeout_s": 9.0}, "SHOP_DB_POOL_TIMEOUT_S", "SHOP_REQUEST_TIMEOUT_MS"),
    ({"db_connect_timeout_s": 9}, "SHOP_DB_CONNECT_TIMEOUT_S", "SHOP_REQUEST_TIMEOUT_MS"),
    ({"web_queue_wait_ms": 8_000}, "SHOP_WEB_QUEUE_WAIT_MS", "SHOP_REQUEST_TIMEOUT_MS"),
    ({"web_queue_length": 513}, "SHOP_WEB_QUEUE_LENGTH", "gunicorn connections"),
    ({"cache_timeout_ms": 8_000}, "SHOP_CACHE_TIMEOUT_MS", "SHOP_REQUEST_TIMEOUT_MS"),
    ({"payments_timeout_ms": 8_000}, "SHOP_PAYMENTS_TIMEOUT_MS", "SHOP_REQUEST_TIMEOUT_MS"),
    ({"payments_slow_ms": 4_000}, "SHOP_PAYMENTS_SLOW_MS", "SHOP_PAYMENTS_TIMEOUT_MS"),
    ({"threads": 9}, "SHOP_THREADS", "SHOP_DB_POOL_SIZE"),
    ({"threads": 17, "db_pool_size": 17}, "SHOP_THREADS", "provider connections"),
    ({"workers": 10}, "SHOP_WORKERS", "PostgreSQL connections"),
    ({"db_pool_size": 39}, "SHOP_DB_POOL_SIZE", "PostgreSQL connections"),
    ({"queue_threads": 9}, "SHOP_QUEUE_THREADS", "SHOP_QUEUE_PREFETCH"),
    ({"queue_length": 7}, "SHOP_QUEUE_PREFETCH", "SHOP_QUEUE_LENGTH"),
    ({"request_timeout_ms": 10_000}, "SHOP_REQUEST_TIMEOUT_MS", "gunicorn stop"),
    ({"request_timeout_ms": 15_000}, "SHOP_REQUEST_TIMEOUT_MS", "edge wait"),
    ({"mail_timeout_ms": 10_000}, "SHOP_MAIL_TIMEOUT_MS", "worker stop"),
]
"""Settings of which each breaks a rule, and what the refusal names."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.low} {rule.relation} {rule.high}")
def test_limits_of_the_store_fit_together(rule):
    assert rule.holds(DEFAULTS), rule.refusal(DEFAULTS)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_limit_has_a_value_and_one_reason(entry):
    value = entry.read(DEFAULTS)
    assert value.number > 0
    assert bool(value.reason) != bool(entry.reason)


def test_every_limit_among_the_settings_is_in_the_table():
    limiting = re.compile(r"(timeout|threads|workers|pool_size|prefetch|length|attempts|memory_mb|local_mb|idle)")
    assert {variable(name) for name in Settings.model_fields if limiting.search(name)} <= ENTRIES.keys()


def test_names_of_limits_are_unique():
    assert sum(len(entries) for entries in LIMITS.values()) == len(ENTRIES)


@pytest.mark.parametrize(
    ("owner", "value"),
    [
        ("SHOP_THREADS", DEFAULTS.threads),
        ("shop/stack/gunicorn_conf.py backlog", gunicorn_conf.backlog),
        ("shop/web/security.py MAX_BODY_BYTES", security.MAX_BODY_BYTES),
        ("shop/stack/postgres.py CONFIGURATION max_connections", int(postgres.CONFIGURATION["max_connections"])),
        ("nginx upstream keepalive_timeout", 10),
        ("nginx server keepalive_timeout", 30),
        ("nginx http proxy_cache_lock_timeout", 0.05),
        ("nginx server large_client_header_buffers", 8 * 1024),
    ],
)
def test_value_is_read_from_its_owner(owner, value):
    assert read_owner(owner, DEFAULTS).number == value


@pytest.mark.parametrize(
    "owner", ["shop/web/security.py NO_SUCH", "nginx http no_such", "shop/stack/postgres.py CONFIGURATION no_such"]
)
def test_unknown_owner_is_an_error(owner):
    with pytest.raises(LookupError):
        read_owner(owner, DEFAULTS)


def test_owner_that_is_not_installed_has_no_value():
    assert read_owner("docs/figures/none.json local most_rps", DEFAULTS) is None


@pytest.mark.parametrize(("values", "low", "high"), IMPOSSIBLE, ids=str)
def test_contradiction_is_refused_with_both_names_and_a_remedy(values, low, high):
    lines = [line for line in contradictions(load_settings({}, **values)) if low in line and high in line]
    assert len(lines) == 1
    assert re.search(rf"\. (Lower|Raise) .*{next(iter(values)).upper()}|{high}\.$", lines[0])


def test_every_rule_that_a_setting_can_break_is_tried():
    broken = {rule for rule in RULES for values, *_ in IMPOSSIBLE if not rule.holds(load_settings({}, **values))}
    kept_by_bounds = {"gunicorn connections", "SHOP_DB_IDLE_S", "edge collapse wait"}  # of the setting itself, nearly
    left = {rule for rule in RULES if rule.is_settable} - broken
    assert all(kept_by_bounds & set(rule.operands()) for rule in left)


def test_defaults_and_other_databases_are_accepted():
    require_consistent(load_settings({}))
    require_consistent(load_settings({}, workers=40, database_url="postgresql://elsewhere/shop"))


def test_every_broken_rule_has_its_line():
    with pytest.raises(ConfigurationError, match="the limits contradict each other") as refused:
        require_consistent(load_settings({}, threads=9, queue_threads=9))
    assert len(str(refused.value).splitlines()) == 3


def test_up_refuses_a_contradiction_and_starts_nothing(tmp_path):
    environment = {**os.environ, "SHOP_VAR_DIR": str(tmp_path / "var"), "SHOP_DB_LOCK_TIMEOUT_MS": "6000"}
    done = subprocess.run(
        [sys.executable, "-m", "shop.cli", "up"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Lower SHOP_DB_LOCK_TIMEOUT_MS, or raise SHOP_DB_STATEMENT_TIMEOUT_MS." in done.stderr
    assert not (tmp_path / "var").exists()
