"""Alert rules: they fire correctly, use existing metrics, and name a runbook."""

import re
import shutil
import subprocess

import pytest
import yaml

from shop.patterns.observability.metrics import ProcessMetrics
from shop.settings import PROJECT_ROOT

PROMETHEUS = PROJECT_ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "alerts").glob("*.yml"))
"""All rule files of the folder, like in Prometheus' configuration."""
FIGURE = re.compile(r"\bshop_[a-z_]+\b")


def rules():
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_the_rules_fire_when_they_should_and_are_silent_otherwise(path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine (on Debian: apt install prometheus)")
    tests = PROMETHEUS / "tests" / f"{path.stem}_test.yml"
    done = subprocess.run([promtool, "test", "rules", tests], capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_configuration_loads_every_alert_rules_file():
    assert all("groups" in yaml.safe_load(path.read_text()) for path in RULES)
    configuration = PROMETHEUS / "prometheus.yml"
    (pattern,) = yaml.safe_load(configuration.read_text())["rule_files"]
    assert sorted(PROMETHEUS.glob(pattern)) == RULES
    if promtool := shutil.which("promtool"):
        done = subprocess.run([promtool, "check", "config", configuration], capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_figure_named_exists():
    exported = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in ProcessMetrics().registry.collect()
    }
    named = {name for rule in rules() for name in FIGURE.findall(rule["expr"])}
    assert named <= exported


@pytest.mark.parametrize("alert", [rule for rule in rules() if "alert" in rule], ids=lambda rule: rule["alert"])
def test_every_alert_names_a_runbook_that_names_it(alert):
    runbook = PROJECT_ROOT / alert["annotations"]["runbook"]
    assert f"`{alert['alert']}`" in runbook.read_text()
