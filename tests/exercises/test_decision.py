"""A decision in writing: what the check can verify is verified, and nothing else is claimed to be judged."""

import pytest
from click.testing import CliRunner

from shop.cli import main
from shop.exercises.decision import CHOICE, check_answers, check_figure, compare_points, model_answers
from shop.exercises.definition import EXERCISES, load_definition, load_definitions
from shop.exercises.hints import HintList
from shop.exercises.tasks import DecideFigure
from shop.exercises.verdict import AttemptFailed
from shop.exercises.written_answer import read_points

DECISIONS = [one for one in load_definitions().values() if one.kind == "decide"]
EVENTS = load_definition(EXERCISES / "22-events-or-rows")
FIGURE = DecideFigure(name="queries", point="cost", header="/api/v1/products", unit="queries", tolerance=0.1)
of_every_decision = pytest.mark.parametrize("exercise", DECISIONS, ids=lambda one: one.name)


def fill_in(exercise, path, figures, answers=None):
    """Write a decision: the model answers, whose first sentence is the choice, and the figures."""
    text = [f"# {exercise.title}"]
    models = {**model_answers(exercise), **(answers or {})}
    for point in exercise.decide.points:
        choice = models[point.name].split(".")[0].lower().replace(" ", "-")
        text += [f"\n## {point.name}", f"<!-- {point.asks} -->", *([f"Choice: {choice}"] if point.choices else [])]
        text += [f"{one.name}: {figures[one.name]}" for one in exercise.decide.figures if one.point == point.name]
        text += [f"Answer: {models[point.name]}"]
    path.write_text("\n".join(text) + "\n")


@of_every_decision
def test_template_has_each_point_and_figure_once(exercise):
    task, text = exercise.decide, exercise.page("decision.md")
    names = [figure.name for figure in task.figures]
    points = read_points(text, [point.name for point in task.points], [CHOICE, "answer", *names])
    for point in task.points:
        own = {figure.name for figure in task.figures if figure.point == point.name}
        assert set(points[point.name].fields) == {"answer", *own, *({CHOICE} if point.choices else ())}
        assert point.asks in " ".join(text.split())
        assert f"At least {point.least_words} words." in " ".join(text.split())


@of_every_decision
def test_page_has_the_command_of_each_figure(exercise):
    page = " ".join(exercise.page("README.md").split())
    for figure in exercise.decide.figures:
        assert figure.name in page
        assert (figure.sql or figure.header.partition("{")[0]) in page


@of_every_decision
def test_model_answer_has_the_form_that_the_check_demands(exercise, tmp_path):
    path = tmp_path / "decision.md"
    fill_in(exercise, path, {figure.name: 1 for figure in exercise.decide.figures})
    written = check_answers(exercise.decide, path)
    comparison = compare_points(exercise, written)
    assert [point.name for point in comparison] == [point.name for point in exercise.decide.points]
    assert all(point.own and point.model for point in comparison)


@of_every_decision
def test_untouched_template_fails_as_the_page_shows_it(exercise, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SHOP_EXERCISES_DIR", str(tmp_path / "exercises"))
    assert CliRunner().invoke(main, ["exercise", "start", str(exercise.number)]).exit_code == 0
    done = CliRunner().invoke(main, ["exercise", "check", str(exercise.number)])
    assert done.exit_code == 1
    assert done.output.replace(f"{tmp_path}/", "") in exercise.page("README.md")


@pytest.mark.parametrize(
    ("old", "new", "came"),
    [
        ("Choice: events", "Choice: both", "Choice: both."),
        ("Choice: events", "", "Choice:."),
        ("## cost\n", "## costs\n", "the heading ## costs."),
        ("## cost\n", "### cost\n", "no heading ## cost."),
        ("## carts\n", "## orders\n", "the heading ## orders again."),
        ("Answer: Events.", "Answer: yes\n\n## x\n", "the heading ## x."),
    ],
)
def test_faulty_answer_names_the_line(tmp_path, old, new, came):
    path = tmp_path / "decision.md"
    fill_in(EVENTS, path, {figure.name: 1 for figure in EVENTS.decide.figures})
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(AttemptFailed) as failed:
        check_answers(EVENTS.decide, path)
    report = failed.value.report
    assert (report.check, report.came) == ("answers", came)
    assert f"{path}:" in report.look


def test_answer_of_few_words_fails_and_comments_do_not_count(tmp_path):
    path = tmp_path / "decision.md"
    short = {"orders": "Events. Because. <!-- " + "word " * 50 + "-->"}
    fill_in(EVENTS, path, {figure.name: 1 for figure in EVENTS.decide.figures}, short)
    with pytest.raises(AttemptFailed) as failed:
        check_answers(EVENTS.decide, path)
    assert (failed.value.report.expected, failed.value.report.came) == (
        "an answer of at least 30 words to ## orders.",
        "2 words.",
    )


@pytest.mark.parametrize("text", ["10", "10.9", "9.1 queries", " 10 ", "1 0"])
def test_figure_within_its_tolerance_passes(text, tmp_path):
    check_figure(FIGURE, text, tmp_path, lambda path: 10.0)


@pytest.mark.parametrize(
    ("text", "came"), [("", "nothing."), ("many", "'many'."), ("11.1", "10 queries."), ("-10", "10 queries.")]
)
def test_wrong_figure_fails_with_its_message(text, came, tmp_path):
    with pytest.raises(AttemptFailed) as failed:
        check_figure(FIGURE, text, tmp_path, lambda path: 10.0)
    assert (failed.value.report.check, failed.value.report.came) == ("figures", came)


@of_every_decision
def test_each_check_has_a_first_hint_of_its_own(exercise):
    hints = HintList(exercise)
    assert len({hints.hint(1, rule.name) for rule in exercise.checks}) == len(exercise.checks)
