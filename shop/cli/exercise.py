"""``bin/shop exercise``: the exercises of the action plan.

A command imports what only it needs: the HTTP client takes longer to load than a build exercise to check.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from rich.console import Console

from shop.atomic_files import atomic_write
from shop.cli import EXIT_FAILED, SIGNAL_EXIT
from shop.cli.exercise_class import collect, export
from shop.cli.exercise_output import changed_note, held_note, in_checkout, map_lines, print_page, print_verdict, to_dict
from shop.cli.exercise_watch import check_on_save
from shop.cli.output import emit, require_consent
from shop.errors import ConfigurationError
from shop.exercises.definition import CHAPTERS, PAGE, WHY, ExerciseDefinition, load_definitions
from shop.exercises.exercise_list import advise_next, exercise_state, find_exercise
from shop.exercises.grader_version import grader_version
from shop.exercises.hints import LEVELS, HintList
from shop.exercises.progress import ExerciseProgress, ProgressFile
from shop.exercises.server_addresses import ServerAddresses
from shop.exercises.tasks import FindTask
from shop.exercises.verdict import CheckVerdict
from shop.lab.restore_file import read_holder
from shop.settings import PROJECT_ROOT, load_settings

if TYPE_CHECKING:
    from shop.switches.attempt_slots import AttemptSlot

SEED = 1
"""Of the checks' random numbers: the same answer gets the same verdict."""
_url = click.option("--url", help="Address of the store.  [default: the running stack]")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def exercise() -> None:
    """Do the exercises of the action plan."""


exercise.add_command(export)
exercise.add_command(collect)


@exercise.command("list")
@_json
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """List the exercises and your progress."""
    definitions, progress = load_definitions(), _progress_file().load()
    document = [to_dict(one, progress.get(one.slug, ExerciseProgress())) for one in definitions.values()]
    lines = [
        f"{one.label} {exercise_state(progress.get(one.slug)):<7} {one.kind:<8} {one.minutes:>3} min  {one.title}"
        f"{changed_note(one, progress.get(one.slug))}{held_note(one, _holder())}"
        for one in definitions.values()
    ]
    emit(document, "\n".join(lines), as_json=as_json)


@exercise.command("map")
def map_() -> None:
    """Draw your progress through the chapters, and advise the next exercise."""
    definitions, progress = load_definitions(), _progress_file().load()
    console = Console()
    for line in map_lines(definitions, progress, _holder()):
        console.print(line, highlight=False, soft_wrap=True)
    following = advise_next(definitions, progress)
    advice = f"Next: bin/shop exercise start {following.number}" if following else "All exercises are passed."
    click.echo(f"\n{advice}")


@exercise.command()
@click.argument("n")
@_url
def start(n: str, url: str | None) -> None:
    """Begin exercise N: copy its untouched file for you, or set it up on the store, and say where its page is."""
    definition, file = _find(n), _progress_file()
    progress = file.of(definition.slug)
    file.save(definition.slug, progress.with_changes(begun_at=progress.begun_at or _now()))
    click.echo(f"{definition.label} {definition.title}: about {definition.minutes} minutes.")
    click.echo(f"Read   {_shown(definition.folder / PAGE)}")
    if definition.predict is not None:
        click.echo(f"Asked  {definition.predict.question}")
        value = f"VALUE   (a number of {definition.predict.unit})"
        click.echo(f"Then   bin/shop exercise predict {definition.number} {value}")
        return
    if definition.find is not None:
        _start_find(definition, definition.find, url)
        return
    path = _attempt_path(definition)
    if path.exists():
        click.echo(f"Write  {_shown(path)}   (it was there already, and is unchanged)")
    else:
        _copy_attempt(definition, path)
        click.echo(f"Write  {_shown(path)}")
    if definition.audit is not None:
        click.echo(f"Repair {_shown(path.parent / definition.audit.patient)}/")
    click.echo(f"Then   bin/shop exercise check {definition.number}")
    if slot := _offer_attempt(definition):
        click.echo(f"Watch  bin/shop switch set {slot.switch} attempt   (your code in the running store)")


@exercise.command(context_settings={"ignore_unknown_options": True})  # a negative number is no option
@click.argument("n")
@click.argument("value", nargs=-1, required=True)
def predict(n: str, value: tuple[str, ...]) -> None:
    """Store VALUE as your prediction, or as your answer in words, in exercise N."""
    definition, file = _find(n), _progress_file()
    progress = file.of(definition.slug)
    begun_at = progress.begun_at or _now()
    if definition.find is not None:
        from shop.exercises.finding import parse_answer

        answer = parse_answer(definition.find, " ".join(value))
        file.save(definition.slug, progress.with_changes(begun_at=begun_at, answer=answer))
        click.echo(f"Your answer: {answer}.")
        click.echo(f"Then   bin/shop exercise check {definition.number}   (needs the running store)")
        return
    from shop.exercises.prediction import parse_prediction

    if definition.predict is None:
        raise ConfigurationError(f"Exercise {definition.label} asks for no prediction: you write in {definition.file}.")
    prediction = parse_prediction(definition.predict, " ".join(value))
    file.save(definition.slug, progress.with_changes(begun_at=begun_at, prediction=prediction))
    click.echo(f"Your prediction: {prediction:g} {definition.predict.unit}.")
    click.echo(f"Then   bin/shop exercise check {definition.number}   (needs the running store)")


@exercise.command()
@click.argument("n")
@_url
@click.option("--watch", is_flag=True, help="Check again on each save of your file, until Ctrl-C.")
@_json
def check(n: str, url: str | None, watch: bool, as_json: bool) -> None:  # noqa: FBT001
    """Check your answer to exercise N.

    Exit code 0: passed; 1: not yet; 3: could not judge, for example because the store does not run; 2: wrong usage.
    """
    definition = _find(n)
    if watch and as_json:
        raise ConfigurationError("--watch prints a verdict for each save, --json prints one document: choose one.")
    if watch and definition.file is None:
        raise ConfigurationError(f"Exercise {definition.label} has no file that is saved: check it without --watch.")
    try:
        if watch:
            folder = _attempt_path(definition).parent
            check_on_save(folder, _shown(folder), lambda: _check_once(_find(n), url))
        verdict = _check_once(definition, url, as_json=as_json)
    except KeyboardInterrupt:  # click would end with 1, which means "not yet"
        _end("interrupted.", SIGNAL_EXIT + signal.SIGINT)
    sys.exit(verdict.exit_code)


@exercise.command()
@click.argument("n")
def hint(n: str) -> None:
    """Show the next of the three hints of exercise N; the first depends on what failed.

    A check that fails later has a first hint of its own: it is shown before the others.
    """
    definition, file = _find(n), _progress_file()
    progress, hints = file.of(definition.slug), HintList(definition)
    is_new = hints.is_new_for(progress.failed_check, progress.hinted_check)
    level = 1 if is_new else min(progress.hints + 1, LEVELS)
    hinted_check = progress.failed_check if level == 1 else progress.hinted_check
    file.save(definition.slug, progress.with_changes(hints=max(level, progress.hints), hinted_check=hinted_check))
    click.echo(f"Hint {level} of {LEVELS}{f', for the check {progress.failed_check}' if is_new else ''}\n")
    print_page(hints.hint(level, progress.failed_check), definition.folder)
    if level == LEVELS and progress.passed_at is None:
        click.echo(
            f"\nThis is the last hint. bin/shop exercise solution {definition.number} --give-up shows the solution."
        )


@exercise.command()
@click.argument("n")
@click.option("--give-up", is_flag=True, help="Show it although the exercise is not passed.")
def solution(n: str, give_up: bool) -> None:  # noqa: FBT001
    """Show the model answer of exercise N beside the store's own code."""
    definition, file = _find(n), _progress_file()
    progress = file.of(definition.slug)
    if progress.passed_at is None and not (give_up or progress.gave_up):
        _end(
            f"Exercise {definition.label} is not passed yet. `bin/shop exercise hint {definition.number}` helps;"
            " --give-up shows the solution.",
            EXIT_FAILED,
        )
    if progress.passed_at is None:
        file.save(definition.slug, progress.with_changes(gave_up=True))
    print_page(definition.page(WHY), definition.folder)


@exercise.command()
@click.argument("n")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_url
def reset(n: str, yes: bool, url: str | None) -> None:  # noqa: FBT001
    """Begin exercise N again: its untouched file replaces yours, your progress in it is deleted, the store restored."""
    definition, file = _find(n), _progress_file()
    path = _attempt_path(definition)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigurationError("There is no terminal to ask in: repeat the command with --yes.")
        require_consent(reset_question(definition, path))
    if _holder() == definition.name:
        from shop.cli.exercise_store import end_case

        end_case(definition, url)
        click.echo("The store is restored.")
    if definition.file:
        _copy_attempt(definition, path)
        _withdraw_attempt(definition)
    file.save(definition.slug, file.of(definition.slug).after_reset())
    click.echo(f"Exercise {definition.label} is as it was: bin/shop exercise start {definition.number}")


@exercise.command("new")
@click.argument("slug")
@click.option("--chapter", type=click.Choice(list(CHAPTERS)), default="month", show_default=True)
def new(slug: str, chapter: str) -> None:
    """Write the files of a new build exercise, for its author to complete."""
    from shop.exercises.new_exercise import next_number, write_exercise

    definitions = load_definitions()
    if slug in definitions:
        raise ConfigurationError(f"{definitions[slug].name} exists already: choose another name.")
    number = next_number({one.number for one in definitions.values()}, chapter)
    for path in write_exercise(PROJECT_ROOT, slug, number, chapter):
        click.echo(f"Wrote  {_shown(path)}")
    click.echo("Then   .venv/bin/pytest tests/exercises   (names every place that is left to do)")
    click.echo("Read   docs/how-to/write-an-exercise.md")


def _check_once(definition: ExerciseDefinition, url: str | None, *, as_json: bool = False) -> CheckVerdict:
    """Check an answer, store the outcome in the progress, and print it."""
    file = _progress_file()
    shown: list[CheckVerdict] = []

    def show(verdict: CheckVerdict) -> None:
        shown.append(verdict)
        print_verdict(definition, verdict, _holder())

    verdict = _check(definition, file.of(definition.slug), url, (lambda verdict: None) if as_json else show)
    progress = file.of(definition.slug).after_check(verdict, _now(), grader_version(definition))
    file.save(definition.slug, progress)
    if as_json:
        emit({"exercise": definition.name, **verdict.to_dict()}, "", as_json=True)
    elif not shown:
        show(verdict)
    return verdict


def _start_find(definition: ExerciseDefinition, task: FindTask, url: str | None) -> None:
    from shop.cli.exercise_store import begin_case
    from shop.exercises.finding import count_variants

    file = _progress_file()
    click.echo(f"Asked  {task.question}")
    click.echo("Sets up the exercise on the running store (about ten seconds, longer on a busy machine) …")
    variant, text = begin_case(definition, file.of(definition.slug), url)
    file.save(definition.slug, file.of(definition.slug).after_draw(variant, count_variants(task)))
    click.echo(f"\n{text}\n")
    click.echo(f"Then   bin/shop exercise predict {definition.number} {task.form}")
    if _holder() == definition.name:
        click.echo(
            f"The store is changed now, until you pass or until `bin/shop exercise reset {definition.number}`."
            " An experiment or the check of another exercise restores it, too."
        )


def _check(
    definition: ExerciseDefinition, progress: ExerciseProgress, url: str | None, show: Callable[[CheckVerdict], None]
) -> CheckVerdict:
    if definition.find is not None:
        from shop.cli.exercise_store import check_case

        return check_case(definition, progress, url)
    if definition.predict is not None:
        return _check_prediction(definition, progress, url, show)
    path = _attempt_path(definition)
    if not path.is_file():
        raise ConfigurationError(f"{_shown(path)} is missing: `bin/shop exercise start {definition.number}` makes it.")
    if definition.decide is not None:
        from shop.cli.exercise_store import check_written

        return check_written(definition, path, url)
    if definition.audit is not None:
        from shop.exercises.audit import check_audit

        return check_audit(definition, path.parent)
    return _check_build(definition, path, url)


def _check_build(definition: ExerciseDefinition, path: Path, url: str | None) -> CheckVerdict:
    from shop.exercises.attempt_runner import check_attempt
    from shop.lab.lab_lock import claim_lab

    _offer_attempt(definition)
    if definition.live is None:
        return check_attempt(definition, path, SEED, _lend_servers)
    with claim_lab(load_settings().var_dir / "lab"):
        pass  # a second check says at once that another one is running
    verdict = check_attempt(definition, path, SEED, _lend_servers)
    if verdict.verdict != "passed":
        return verdict
    from shop.cli.exercise_store import compare_live

    return compare_live(definition, path, verdict, url)


@contextmanager
def _lend_servers(definition: ExerciseDefinition) -> Iterator[ServerAddresses]:
    from shop.exercises.check_servers import ServerUrls, lend_servers
    from shop.stack.database_roles import OWNER
    from shop.stack.endpoints import resolve

    settings = load_settings()
    try:
        store, owner = resolve(settings), resolve(settings, OWNER)
        urls = ServerUrls(store.cache_url, store.database_url, owner.database_url)
    except ConfigurationError:  # no store runs; some exercises need none
        urls = ServerUrls(settings.cache_url, None, None)
    with lend_servers(definition, urls, settings.var_dir) as servers:
        yield servers


def _check_prediction(
    definition: ExerciseDefinition, progress: ExerciseProgress, url: str | None, show: Callable[[CheckVerdict], None]
) -> CheckVerdict:
    from shop.exercises.prediction import check_prediction
    from shop.lab.saved_state import ExperimentInterrupted
    from shop.lab.store_client import StoreClient
    from shop.stack.endpoints import web_url

    if progress.prediction is None:
        raise ConfigurationError(
            f"Give your prediction before the measurement: bin/shop exercise predict {definition.number} VALUE"
        )
    settings = load_settings()
    try:
        address = url or web_url(settings)
    except ConfigurationError as error:
        return CheckVerdict("could not judge", reason=str(error), prediction=progress.prediction)
    store = StoreClient(address)
    try:
        lab_dir = settings.var_dir / "lab"
        return check_prediction(
            definition, progress.prediction, store, lab_dir, lambda text: click.echo(text, err=True), show
        )
    except ExperimentInterrupted as stop:
        _end("interrupted; all switches have their earlier values.", SIGNAL_EXIT + stop.number)
    finally:
        store.close()


def _find(name: str) -> ExerciseDefinition:
    return find_exercise(load_definitions(), name)


def _holder() -> str:
    """Return the folder name of the exercise for which the store is changed; empty if there is none."""
    return read_holder(load_settings().var_dir / "lab")


def _progress_file() -> ProgressFile:
    return ProgressFile(load_settings().var_dir)


def _attempt_path(definition: ExerciseDefinition) -> Path:
    return load_settings().exercises_dir / definition.name / (definition.file or "")


def reset_question(definition: ExerciseDefinition, path: Path) -> str:
    """Return the question before a reset. It names everything of the reader's that will be lost.

    Args:
        definition: the exercise.
        path: of the reader's file.
    """
    lost = [_shown(path)] if definition.file and path.exists() else []
    if definition.audit is not None and (path.parent / definition.audit.patient).exists():
        lost.append(f"{_shown(path.parent / definition.audit.patient)}/")
    begin = f"Overwrite {' and '.join(lost)}, and delete" if lost else "Delete"
    return f"{begin} your progress in exercise {definition.label}?"


def _copy_attempt(definition: ExerciseDefinition, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if definition.audit is not None:
        from shop.exercises.audit import copy_patient

        copy_patient(definition.audit, path.parent)
    atomic_write(path, definition.page(path.name), mode=0o644)


def _offer_attempt(definition: ExerciseDefinition) -> "AttemptSlot | None":
    from shop.exercises.store_slot import offer_attempt

    return offer_attempt(definition, _attempt_path(definition), load_settings().var_dir)


def _withdraw_attempt(definition: ExerciseDefinition) -> None:
    from shop.exercises.store_slot import withdraw_attempt

    withdraw_attempt(definition, load_settings().var_dir)


def _shown(path: Path) -> str:
    """Return a path as the reader types it: relative to the checkout, if it is inside."""
    return in_checkout(str(path))


def _now() -> datetime:
    return datetime.now(UTC)


def _end(message: str, exit_code: int) -> NoReturn:
    click.echo(f"shop: {message}", err=True)
    sys.exit(exit_code)
