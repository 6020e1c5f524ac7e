"""Every finding has the form that its README states."""

import re
import subprocess
from pathlib import Path

import pytest

FINDINGS = Path(__file__).resolve().parents[2] / "findings"
SCRIPTS = sorted(FINDINGS.glob("*.sh"))
LABELS = ("Software:", "Expected before running:", "Seen:", "What follows:", "Exit code:")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_finding_states_expectation_and_result_and_pins_versions(script):
    text = script.read_text()
    head = [line for line in text.splitlines() if line.startswith("# ")]
    assert [label for label in LABELS if any(line.startswith(f"# {label}") for line in head)] == list(LABELS)
    asked = re.findall(r"install ((?:\\\n|.)+)", text)
    assert asked, "it installs nothing"
    assert all("==" in package for package in asked[0].replace("\\\n", " ").split())
    assert "shop" not in re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE)
    subprocess.run(["sh", "-n", script], check=True)


def test_readme_lists_each_finding_once_in_alphabetical_order():
    listed = re.findall(r"^\| \[.*\]\((.+\.sh)\)", (FINDINGS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [script.name for script in SCRIPTS]
    rows = [line.lower() for line in (FINDINGS / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert rows == sorted(rows)
