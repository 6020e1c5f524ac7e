"""The drawings of the docs: text, picture and table of the steps belong together."""

from hashlib import sha256

import pytest

from shop.cli.reference import DOCS, DRAWINGS
from shop.cli.reference_drawings import LOST, draw, parse, steps_table
from shop.cli.reference_graphs import draw_graph
from shop.errors import ConfigurationError
from shop.settings import PROJECT_ROOT

SOURCES = sorted([*DRAWINGS.glob("*.mmd"), *DRAWINGS.glob("*.dot")])
TEXT = """sequenceDiagram
    participant A as client
    participant B as server
    A->>B: ask <now>
    %% shop/app.py: create_app
    Note over B: thinks
    B-->>A: answer
    %% shop/app.py: create_app
"""


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_picture_has_the_hash_of_its_text_and_is_shown(source):
    picture = DOCS / "images" / f"{source.stem}.svg"
    assert f"<metadata>sha256:{sha256(source.read_bytes()).hexdigest()}</metadata>" in picture.read_text()
    assert any(f"(../images/{picture.name})" in page.read_text() for page in DOCS.rglob("*.md"))


def test_steps_are_numbered_alike_in_picture_and_table():
    diagram = parse(TEXT)
    picture = draw(diagram, "a test")
    assert "1. ask &lt;now&gt;" in picture
    assert ">2. answer<" in picture
    assert steps_table(diagram, PROJECT_ROOT).splitlines()[-1] == (
        "| 2 | server → client | answer | `create_app` in [app.py](../../shop/app.py) |"
    )


@pytest.mark.parametrize(("old", "new"), [("    %% shop/app.py: create_app\n", ""), ("A->>B", "A=>B")])
def test_step_without_its_file_is_refused(old, new):
    with pytest.raises(ValueError, match="not a line of a drawing"):
        parse(TEXT.replace(old, new, 1))


def test_problem_drawing_crosses_lost_messages_and_names_no_file():
    problem = (
        "sequenceDiagram\n    participant A as client\n    participant B as server\n    A-xB: ask\n    A->>B: ask again"
    )
    diagram = parse(problem)
    assert [step.is_lost for step in diagram.messages] == [True, False]
    assert draw(diagram, "a test").count(LOST) == 1
    with pytest.raises(ValueError, match="has no"):
        steps_table(diagram, PROJECT_ROOT)


@pytest.mark.parametrize("place", ["shop/app.py: gone", "shop/gone.py: create_app"])
def test_step_with_a_stale_file_or_name_is_refused(place):
    with pytest.raises(ValueError, match="has no"):
        steps_table(parse(TEXT.replace("shop/app.py: create_app", place)), PROJECT_ROOT)


def test_changed_graph_without_graphviz_says_what_to_install(tmp_path, monkeypatch):
    source = tmp_path / "new.dot"
    source.write_text("digraph { a -> b }")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="apt install graphviz"):
        draw_graph(source, tmp_path / "new.svg")
