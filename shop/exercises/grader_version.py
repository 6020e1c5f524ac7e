"""Names the version of an exercise's check, so that a reader learns which checks an update has changed."""

import hashlib
from pathlib import Path

from shop.exercises.definition import ExerciseDefinition
from shop.exercises.progress import ExerciseProgress

HERE = Path(__file__).parent
DIGEST_CHARS = 12


def grader_version(definition: ExerciseDefinition) -> str:
    """Return a digest of an exercise's checks and of the modules that state and carry them out.

    Args:
        definition: the exercise.
    """
    content = b"".join([repr(definition.checks).encode(), *(module.read_bytes() for module in _modules(definition))])
    return hashlib.sha256(content).hexdigest()[:DIGEST_CHARS]


def _modules(definition: ExerciseDefinition) -> list[Path]:
    if definition.build is not None:
        interface = definition.build.interface.partition(":")[0].rpartition(".")[2]
        modules = [HERE / "graders" / f"{definition.build.grader}.py", HERE / "interfaces" / f"{interface}.py"]
        return [*modules, HERE / "live" / f"{definition.live.comparison}.py"] if definition.live else modules
    if definition.find is not None:
        return [HERE / "cases" / f"{definition.find.case}.py"]
    if definition.audit is not None:
        return [HERE / "probes" / f"{definition.audit.probes}.py"]
    if definition.decide is not None:
        return [HERE / "decision.py"]
    assert definition.predict is not None  # noqa: S101 - an exercise has the table of its kind
    return [HERE / "measurements" / f"{definition.predict.measurement}.py"]


def check_has_changed(definition: ExerciseDefinition, progress: ExerciseProgress | None) -> bool:
    """Return whether the check of an exercise is another one than at the reader's last check.

    Args:
        definition: the exercise.
        progress: ``None`` if there is none.
    """
    return progress is not None and progress.grader not in ("", grader_version(definition))
