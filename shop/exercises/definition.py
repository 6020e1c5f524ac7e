"""An exercise: a folder ``NN-slug`` with ``exercise.toml`` and its pages, parsed strictly.

The folder also has ``README.md`` (the page), ``hints.md`` (three graded hints) and ``why.md`` (the model answer beside
the store's own code). Each kind has a table of its own (see ``tasks``). An exercise in which the reader writes has the
file that the reader completes, such as ``attempt.py``.
"""

import keyword
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from shop.did_you_mean import did_you_mean
from shop.errors import ConfigurationError
from shop.exercises.check_rule import CheckRule
from shop.exercises.tasks import AuditTask, DecideTask, FindTask
from shop.lab.strict_model import StrictModel
from shop.lab.toml_lines import find_line
from shop.settings import PROJECT_ROOT
from shop.switches.registry import SWITCHES

EXERCISES = PROJECT_ROOT / "docs" / "exercises"
PATTERNS = PROJECT_ROOT / "docs" / "patterns"
DEFINITION, PAGE, HINTS, WHY, ATTEMPT = "exercise.toml", "README.md", "hints.md", "why.md", "attempt.py"
FILES = {"build": ATTEMPT, "audit": "audit.md", "decide": "decision.md"}
"""The file that the reader writes, by kind of exercise; the other kinds have none."""
PROGRAMS = frozenset({"patient"})
"""Folders of the programs that exercises audit, beside the folders of the exercises."""
CHECKS = {
    "find": ("answer",),
    "audit": ("list", "serves", "repairs"),
    "decide": ("answers", "figures"),
}
"""The names of the checks, by kind of exercise; an exercise of another kind has names of its own."""
CHAPTERS = {"week": "This week", "month": "This month", "quarter": "This quarter"}
CHECK_NAME = re.compile(r"[a-z][a-z0-9-]*")
MAX_REPETITIONS = 1000
OWN_SWITCH = re.compile(r"exercise\.\d\d")
FOLDER_NAME = re.compile(r"(?P<number>\d\d)-(?P<slug>[a-z][a-z0-9-]*)")


class BuildTask(StrictModel):
    """What the reader writes."""

    defines: str
    """Name of the function that the attempt defines, or of the class that is called as a factory."""
    interface: str = Field(pattern=r"^shop\.exercises\.interfaces\.\w+:\w+$")
    """``module:Protocol``: its ``__call__`` has the parameters of the call."""
    store: str = Field(pattern=r"^shop(\.\w+)+:\w+$")
    """``module:name`` of the store's own default, which is called in the same way; or of an adapter in
    :mod:`shop.exercises.store_defaults`."""
    grader: str
    """Module of :mod:`shop.exercises.graders`."""
    servers: tuple[Literal["valkey", "postgresql", "memcached"], ...]
    """The servers that the grader uses; it runs without the others."""
    switch: str
    """The pattern's switch; ``exercise.NN`` for a pattern without a switch."""
    processes: tuple[Literal["web", "worker"], ...] = Field(min_length=1)
    """The store's processes in which the attempt runs."""
    call_limit_ms: int = Field(default=250, ge=1, le=2000)
    """A call of the attempt may take this long in the store."""

    @field_validator("defines")
    @classmethod
    def _is_a_name(cls, defines: str) -> str:
        if not defines.isidentifier() or keyword.iskeyword(defines):
            raise ValueError("is no name that Python code can define")
        return defines

    @field_validator("switch")
    @classmethod
    def _exists(cls, switch: str) -> str:
        if switch not in SWITCHES and not OWN_SWITCH.fullmatch(switch):
            raise ValueError(f"the store has no switch {switch}.{did_you_mean(switch, SWITCHES)}")
        return switch


class LiveTask(StrictModel):
    """How the attempt is compared with the store's own code, on the running store."""

    comparison: str
    """Module of :mod:`shop.exercises.live`."""


class PredictTask(StrictModel):
    """The number that the reader predicts."""

    measurement: str
    """Module of :mod:`shop.exercises.measurements`."""
    question: str
    unit: str
    lowest: float
    highest: float

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        return self


class ExerciseDefinition(StrictModel):
    """One exercise, as its file states it. Number, slug and folder come from the folder's name."""

    number: int
    slug: str
    folder: Path
    title: str
    chapter: Literal["week", "month", "quarter"]
    kind: Literal["build", "predict", "find", "audit", "decide"]
    level: Literal["first steps", "practice", "advanced"]
    minutes: int = Field(ge=1, le=240)
    objectives: tuple[str, ...] = Field(min_length=1)
    """What the reader can do afterwards."""
    prerequisites: tuple[str, ...]
    """Slugs of exercises to do before; advice, not a lock."""
    patterns: tuple[str, ...]
    """Pages of ``docs/patterns``, without the suffix."""
    file: str | None = Field(default=None, validate_default=True)
    """The file to write, for a kind of :data:`FILES`."""
    checks: tuple[CheckRule, ...] = Field(min_length=1)
    out_of_scope: tuple[str, ...]
    last_checked: dict[str, str] = Field(min_length=1)
    """Versions with which a person last did the exercise, by program."""
    build: BuildTask | None = Field(default=None, validate_default=True)
    predict: PredictTask | None = Field(default=None, validate_default=True)
    find: FindTask | None = Field(default=None, validate_default=True)
    audit: AuditTask | None = Field(default=None, validate_default=True)
    decide: DecideTask | None = Field(default=None, validate_default=True)
    live: LiveTask | None = None
    """The live stage of the check; build only."""

    @field_validator("patterns")
    @classmethod
    def _name_pages(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not (PATTERNS / f"{pattern}.md").exists():
                known = {path.stem: path for path in PATTERNS.glob("*.md")}
                raise ValueError(f"docs/patterns has no page {pattern}.{did_you_mean(pattern, known)}")
        return patterns

    @field_validator("checks")
    @classmethod
    def _fit_together(cls, checks: tuple[CheckRule, ...], info: ValidationInfo) -> tuple[CheckRule, ...]:
        names = [check.name for check in checks]
        kind = info.data.get("kind", "")
        if kind in CHECKS and tuple(names) != CHECKS[kind]:
            raise ValueError(f"an exercise of kind {kind} has the checks {', '.join(CHECKS[kind])}, in this order")
        if len(set(names)) < len(names) or not all(map(CHECK_NAME.fullmatch, names)):
            raise ValueError("each has a name of its own, in lower-case words with hyphens")
        if any(check.threshold < 0 or not 1 <= check.repetitions <= MAX_REPETITIONS for check in checks):
            raise ValueError(f"a threshold is not negative, and repetitions are 1 to {MAX_REPETITIONS}")
        return checks

    @field_validator("file")
    @classmethod
    def _belongs_to_kind(cls, file: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if kind and file != FILES.get(kind):
            expected = f'file = "{FILES[kind]}"' if kind in FILES else "no file"
            raise ValueError(f"an exercise of kind {kind} has {expected}")
        return file

    @field_validator("build", "predict", "find", "audit", "decide")
    @classmethod
    def _is_the_table_of_its_kind(cls, task: StrictModel | None, info: ValidationInfo) -> StrictModel | None:
        kind = info.data.get("kind", info.field_name)
        if (task is not None) != (kind == info.field_name):
            raise ValueError(f"an exercise of kind {kind} has a table [{kind}] and no other")
        own = f"exercise.{info.data.get('number', 0):02d}"
        if isinstance(task, BuildTask) and task.switch.startswith("exercise.") and task.switch != own:
            raise ValueError(f"the switch of its own is {own}, by its number")
        return task

    @field_validator("live")
    @classmethod
    def _belongs_to_build(cls, live: LiveTask | None, info: ValidationInfo) -> LiveTask | None:
        if live is not None and info.data.get("kind", "build") != "build":
            raise ValueError("only a build exercise has a table [live]")
        return live

    @property
    def name(self) -> str:
        """Return the name of the folder: ``04-ttl-jitter``."""
        return self.folder.name

    @property
    def label(self) -> str:
        """Return the number as people type it: ``04``."""
        return f"{self.number:02d}"

    def page(self, name: str) -> str:
        """Return the text of one of the folder's files."""
        return (self.folder / name).read_text(encoding="utf-8")


def load_definition(folder: Path) -> ExerciseDefinition:
    """Read one exercise.

    Args:
        folder: its folder, named ``NN-slug``.

    Raises:
        ConfigurationError: a file is missing, or the definition is wrong; each fault with file, line and field.
    """
    match = FOLDER_NAME.fullmatch(folder.name)
    if match is None:
        raise ConfigurationError(f"{folder}: the folder of an exercise is named NN-slug, for example 04-ttl-jitter.")
    _require_files(folder, (DEFINITION, PAGE, HINTS, WHY))
    path = folder / DEFINITION
    text = path.read_text(encoding="utf-8")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}.") from None
    own = {"number": int(match["number"]), "slug": match["slug"], "folder": folder}
    if given := sorted(own.keys() & document.keys()):
        raise ConfigurationError(f"{path}:{find_line(text, given[:1])}: {given[0]}: comes from the folder's name.")
    try:
        definition = ExerciseDefinition.model_validate({**document, **own})
    except ValidationError as error:
        raise ConfigurationError("\n".join(_describe(path, text, fault) for fault in error.errors())) from None
    if definition.file is not None:
        _require_files(folder, (definition.file,))
    return definition


def load_definitions(folder: Path = EXERCISES) -> dict[str, ExerciseDefinition]:
    """Read every exercise of a folder, by slug, in the order of their numbers.

    Raises:
        ConfigurationError: there is no such folder, an exercise is wrong, two have one number or slug, or a
            prerequisite does not exist.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is missing: the exercises are part of a checkout of the store.")
    definitions: dict[str, ExerciseDefinition] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in PROGRAMS):
        definition = load_definition(path)
        for other in definitions.values():
            if definition.slug == other.slug or definition.number == other.number:
                raise ConfigurationError(f"{path}: {other.name} has the same number or slug.")
        definitions[definition.slug] = definition
    for definition in definitions.values():
        for index, slug in enumerate(definition.prerequisites):
            if slug not in definitions:
                path = definition.folder / DEFINITION
                line = find_line(definition.page(DEFINITION), ("prerequisites", index))
                message = f"{path}:{line}: prerequisites.{index}: there is no exercise {slug!r}."
                raise ConfigurationError(message + did_you_mean(slug, definitions))
    return definitions


def _require_files(folder: Path, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(f"{folder / missing[0]}: the file is missing.")


def _describe(path: Path, text: str, fault: Any) -> str:
    location = tuple(fault["loc"])
    field = ".".join(map(str, location)) or "exercise"
    message = fault["msg"].removeprefix("Value error, ")
    message += "" if message.endswith((".", "?")) else "."
    if fault["type"] == "missing":
        message = "this key is missing."
    elif fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        message = "unknown key." + (did_you_mean(field, ExerciseDefinition.model_fields) if len(location) == 1 else "")
    return f"{path}:{find_line(text, location)}: {field}: {message}"
