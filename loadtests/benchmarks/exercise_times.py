"""Measures how long a learner waits for the verdict of an exercise: the first failure and, of code, the full pass.

    .venv/bin/python loadtests/benchmarks/exercise_times.py [LABEL ...]

The script clones HEAD, installs it, starts its store, and does each exercise with the commands of its page. The first
failure is that of the untouched file, or of the answer that the page types in, which is wrong. The full pass is that of
the model answer, the first block of Python in ``why.md``.
Promises: the first failure within 3 s, a full pass within 60 s. A wrong prediction can be told only after its
measurement, whose seconds the page names, so it has no promise. Exit code 1 if a promise is broken.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from shop.stack.program import free_port

ROOT = Path(__file__).resolve().parents[2]
FAILURE_S, PASS_S = 3.0, 60.0
PASSED, NOT_YET = 0, 1
TIMEOUT_S = 180
PAGE_ANSWER = re.compile(r"^ *bin/shop exercise predict \d+ (.+)$", re.MULTILINE)
MODEL_ANSWER = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class CheckRun:
    """One run of a check: its exit code, its seconds, and the last lines it printed."""

    code: int
    seconds: float
    tail: str


class LearnerCheckout:
    """A clone of HEAD with its running store.

    Args:
        home: an empty directory.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        subprocess.run(["git", "clone", "--quiet", ROOT, home], check=True)
        subprocess.run(
            ["make", "--no-print-directory", ".venv/.ready-to-run"], cwd=home, check=True, stdout=subprocess.DEVNULL
        )
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
        self._environment["SHOP_PORT"] = str(free_port())

    def shop(self, *words: str) -> CheckRun:
        """Run a `shop` command; the answer to a question is yes."""
        began = time.perf_counter()
        done = subprocess.run(
            ["bin/shop", *words],
            cwd=self.home,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
        tail = " | ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        return CheckRun(done.returncode, time.perf_counter() - began, tail)

    def require(self, *words: str) -> None:
        """Run a command that must succeed."""
        done = self.shop(*words)
        if done.code != 0:
            raise SystemExit(f"`bin/shop {' '.join(words)}` ended with {done.code}: {done.tail}")


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="numbers of exercises; by default all")
    wanted = parser.parse_args().labels
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-exercise-times-")))
        home.chmod(0o755)  # if root runs this, PostgreSQL runs as another account
        checkout = LearnerCheckout(home / "shop")
        stack.callback(checkout.shop, "down")
        checkout.require("up", "--detach", "--size", "s")
        folders = sorted(path.parent for path in (home / "shop" / "docs" / "exercises").glob("*/exercise.toml"))
        print(f"{'exercise':28} {'kind':8} {'first failure':>14} {'full pass':>10}")
        broken = [_measure(checkout, folder) for folder in folders if not wanted or folder.name[:2] in wanted]
    return int(any(broken))


def _measure(checkout: LearnerCheckout, folder: Path) -> bool:
    """Do one exercise and print its row; return whether a promise is broken."""
    label, definition = folder.name[:2], tomllib.loads((folder / "exercise.toml").read_text())
    kind = definition["kind"]
    checkout.require("exercise", "start", label)
    passed, problems = None, []
    if example := PAGE_ANSWER.search((folder / "README.md").read_text()):
        checkout.require("exercise", "predict", label, *example[1].split())
    failure = checkout.shop("exercise", "check", label)
    if failure.code != NOT_YET:
        problems.append(f"not a failure but {failure.code}: {failure.tail}")
    if kind == "build":
        (checkout.home / "exercises" / folder.name / "attempt.py").write_text(_model_answer(folder))
        passed = checkout.shop("exercise", "check", label)
        if passed.code != PASSED:
            problems.append(f"no pass but {passed.code}: {passed.tail}")
    checkout.require("exercise", "reset", label, "--yes")
    is_late = (kind != "predict" and failure.seconds > FAILURE_S) or (passed is not None and passed.seconds > PASS_S)
    print(
        f"{folder.name:28} {kind:8} {failure.seconds:12.1f} s {f'{passed.seconds:8.1f} s' if passed else '':>10}"
        f"{'  LATE' if is_late else ''}{''.join(f'  {problem}' for problem in problems)}",
        flush=True,
    )
    return is_late or bool(problems)


def _model_answer(folder: Path) -> str:
    match = MODEL_ANSWER.search((folder / "why.md").read_text())
    if match is None:
        raise SystemExit(f"{folder.name}: why.md has no block of Python")
    return match[1]


if __name__ == "__main__":
    sys.exit(main())
