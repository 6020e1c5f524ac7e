"""The answers with which the graders are proven: ``NN/wrong-*.py``, ``also-right-*.py`` and ``slow-*.py``.

The model answer is the first block of Python in ``why.md``, so that readers see the one that is proven.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from shop.exercises.definition import ATTEMPT, WHY, ExerciseDefinition, load_definitions
from shop.exercises.new_exercise import TODO
from shop.settings import PROJECT_ROOT

HERE = Path(__file__).parent
MODEL_ANSWER = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BUILD = [one for one in load_definitions().values() if one.kind == "build"]


@dataclass(frozen=True)
class WrongAnswer:
    """An answer that must fail, the check at which it fails, and parts of what came and of where to look."""

    exercise: ExerciseDefinition
    name: str
    path: Path
    check: str
    came: str
    look: str = ""


def wrong_answers(exercise: ExerciseDefinition) -> list[WrongAnswer]:
    """Return the untouched file and every named wrong answer."""
    home = HERE / exercise.label
    expected = tomllib.loads((home / "expected.toml").read_text())
    paths = {"untouched": exercise.folder / ATTEMPT, **{path.stem: path for path in sorted(home.glob("wrong-*.py"))}}
    assert set(expected) == set(paths), "expected.toml names the answers that must fail, and no others"
    return [WrongAnswer(exercise, name, path, **expected[name]) for name, path in paths.items()]


def right_answers(exercise: ExerciseDefinition) -> dict[str, str]:
    """Return the text of each answer that must pass, by name."""
    home = HERE / exercise.label
    others = {path.stem: path.read_text() for path in sorted(home.glob("*-*.py")) if not path.stem.startswith("wrong-")}
    return {"model": model_answer(exercise), "store": store_default(exercise), **others}


def store_default(exercise: ExerciseDefinition) -> str:
    """Return the store's own default in the form of an answer."""
    assert exercise.build is not None
    module, _, name = exercise.build.store.partition(":")
    return f"from {module} import {name} as {exercise.build.defines}\n"


def unfinished_places(exercise: ExerciseDefinition) -> list[str]:
    """Return each line of an exercise's files that its author has still to write, with its place."""
    paths = [*exercise.folder.iterdir(), *(HERE / exercise.label).glob("*")]
    if exercise.build is not None:
        modules = [exercise.build.interface.partition(":")[0], exercise.build.store.partition(":")[0]]
        paths += [PROJECT_ROOT.joinpath(*module.split(".")).with_suffix(".py") for module in modules]
        paths.append(PROJECT_ROOT / "shop" / "exercises" / "graders" / f"{exercise.build.grader}.py")
    return [
        f"{path.relative_to(PROJECT_ROOT)}:{number}: {line.strip()}"
        for path in sorted(path for path in paths if path.is_file())
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if TODO in line
    ]


def model_answer(exercise: ExerciseDefinition) -> str:
    """Return the model answer."""
    match = MODEL_ANSWER.search(exercise.page(WHY))
    assert match is not None
    return match[1]
