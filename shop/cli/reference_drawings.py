"""Draws the sequence diagrams of the docs as SVG, and writes the table of their steps.

A drawing is a text file, ``docs/drawings/NAME.mmd``, in a part of Mermaid's notation: participants, messages and notes.
In the drawing of a journey, a comment below each message names the file that does the step, and a name in it:
``%% shop/web/x.py: answer``. The drawing of a problem shows a store without the pattern, so it names no file. The SVG
contains the hash of its text.
"""

import re
import textwrap
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from pathlib import Path

PARTICIPANT = re.compile(r"participant (\w+) as (.+)")
MESSAGE = re.compile(r"(\w+)(--?(?:>>|x))(\w+): (.+)")
NOTE = re.compile(r"Note over (\w+): (.+)")
PLACE = re.compile(r"%% (\S+): (\w+)")
COLUMN = 148
"""Pixels of a participant's column."""
MARGIN = 10
HEAD = 44
"""Pixels above the first step: the boxes of the participants."""
LINE = 15
"""Pixels of a line of text."""
GAP = 22
CHARACTER = 6.3
"""Pixels of a character at most, in the mean of a line of text."""
STYLE = 'font-family="system-ui, sans-serif" font-size="12"'
INK, PAPER, ACCENT, QUIET, LOST = "#1f2328", "#ffffff", "#0b57d0", "#8b949e", "#b3261e"


@dataclass(frozen=True, slots=True)
class DiagramStep:
    """A message between two participants, or a note over one of them.

    Args:
        sender, receiver: keys of the participants.
        text: what happens.
        arrow: of Mermaid; empty for a note.
        path, name: the file that does the step, and a name in it; both empty in the drawing of a problem.
    """

    sender: str
    receiver: str
    text: str
    arrow: str = ""
    path: str = ""
    name: str = ""

    @property
    def is_answer(self) -> bool:
        """Return whether the arrow is a dashed line."""
        return self.arrow.startswith("--")

    @property
    def is_lost(self) -> bool:
        """Return whether the message does not arrive."""
        return self.arrow.endswith("x")


@dataclass(slots=True)
class SequenceDiagram:
    """A parsed drawing: the participants' labels by key, and the steps."""

    digest: str
    participants: dict[str, str] = field(default_factory=dict)
    steps: list[DiagramStep] = field(default_factory=list)

    @property
    def messages(self) -> list[DiagramStep]:
        """Return the steps without the notes."""
        return [step for step in self.steps if step.arrow]

    @property
    def width(self) -> int:
        """Return the width of the picture in pixels."""
        return 2 * MARGIN + COLUMN * len(self.participants)


def parse(text: str) -> SequenceDiagram:
    """Read a drawing.

    Raises:
        ValueError: a line cannot be read, or a message has no file below it although another message has one.
    """
    diagram = SequenceDiagram(sha256(text.encode()).hexdigest())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    names_files = any(PLACE.fullmatch(line) for line in lines)
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if found := PARTICIPANT.fullmatch(line):
            diagram.participants[found[1]] = found[2]
        elif found := NOTE.fullmatch(line):
            diagram.steps.append(DiagramStep(found[1], found[1], found[2]))
        elif (found := MESSAGE.fullmatch(line)) and ((place := PLACE.fullmatch(following)) or not names_files):
            sender, arrow, receiver, what = found.groups()
            diagram.steps.append(DiagramStep(sender, receiver, what, arrow, *(place.groups() if place else ())))
        elif not PLACE.fullmatch(line) and line != "sequenceDiagram":
            raise ValueError(f"not a line of a drawing, or a message without its file: {line}")
    return diagram


def steps_table(diagram: SequenceDiagram, root: Path) -> str:
    """Return the steps with links to their files, as Markdown for a page two folders below the root.

    Raises:
        ValueError: a file does not exist or does not contain its name.
    """
    rows = []
    for number, step in enumerate(diagram.messages, 1):
        source = root / step.path
        if not source.is_file() or not re.search(rf"\b{step.name}\b", source.read_text(encoding="utf-8")):
            raise ValueError(f"{step.path} has no {step.name}")
        ends = dict.fromkeys(diagram.participants[key] for key in (step.sender, step.receiver))
        link = f"`{step.name}` in [{source.name}](../../{step.path})"
        rows.append(f"| {number} | {' → '.join(ends)} | {step.text} | {link} |")
    return "\n".join(["| step | between | what happens | code |", "|---|---|---|---|", *rows])


def draw(diagram: SequenceDiagram, title: str) -> str:
    """Return the diagram as SVG, with the hash of its text in the metadata."""
    width = diagram.width
    middle = {key: MARGIN + COLUMN * (index + 0.5) for index, key in enumerate(diagram.participants)}
    parts, y, number = [], HEAD + GAP, 0
    for step in diagram.steps:
        number += bool(step.arrow)
        drawn, y = _draw_step(step, number, middle, width, y)
        parts.append(drawn)
    lines = [f'<path d="M{x:g} {HEAD}V{y}" stroke="{QUIET}" stroke-dasharray="2 4"/>' for x in middle.values()]
    heads = [_draw_head(middle[key], label) for key, label in diagram.participants.items()]
    spoken = "; ".join(f"{number}. {step.text}" for number, step in enumerate(diagram.messages, 1))
    size = f'width="{width}" height="{y + MARGIN}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + MARGIN}" {size} role="img" {STYLE}>',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(spoken)}</desc>",
            f"<metadata>sha256:{diagram.digest}</metadata>",
            f'<rect {size} rx="8" fill="{PAPER}"/>',
            *lines,
            *heads,
            *parts,
            "</svg>",
        ]
    )


def _draw_head(x: float, label: str) -> str:
    width = COLUMN - 12
    box = f'<rect x="{x - width / 2:g}" y="{MARGIN}" width="{width:g}" height="{HEAD - MARGIN}" rx="6" fill="{INK}"/>'
    words = f'<text x="{x:g}" y="{MARGIN + 21}" fill="{PAPER}" text-anchor="middle" font-weight="600">'
    return f"{box}{words}{escape(label)}</text>"


def _draw_step(step: DiagramStep, number: int, middle: dict[str, float], width: int, y: int) -> tuple[str, int]:
    """Return a step as SVG and the place of the next one."""
    start, end = middle[step.sender], middle[step.receiver]
    if not step.arrow:
        return _draw_note(step.text, start, width, y), y + LINE + GAP
    is_own = start == end
    label = f"{number}. {step.text}"
    beside = min(COLUMN * 1.6, max(start, width - start) - 24)
    room = beside if is_own else max(abs(end - start), COLUMN * 1.4) - 16
    lines = textwrap.wrap(label, int(room / CHARACTER))
    at = y + LINE * (len(lines) - 1)
    if is_own:
        x = start + 14 if start + room < width else start - 14
        anchor = "start" if x > start else "end"
        mark = f'<circle cx="{start:g}" cy="{(y + at) / 2 - 4:g}" r="5" fill="{ACCENT}"/>'
        return mark + _draw_text(lines, x, y, anchor), at + GAP + 4
    half = max(len(line) for line in lines) * CHARACTER / 2
    x = min(max((start + end) / 2, MARGIN + half), width - MARGIN - half)
    return _draw_text(lines, x, y, "middle") + _draw_arrow(start, end, at + 8, step), at + 8 + GAP


def _draw_note(text: str, x: float, width: int, y: int) -> str:
    half = len(text) * CHARACTER / 2 + 8
    x = min(max(x, MARGIN + half), width - MARGIN - half)
    box = f'<rect x="{x - half:g}" y="{y - LINE}" width="{2 * half:g}" height="{LINE + 6}" rx="4" fill="#fff3c4"/>'
    return f'{box}<text x="{x:g}" y="{y}" fill="{INK}" text-anchor="middle" font-style="italic">{escape(text)}</text>'


def _draw_text(lines: list[str], x: float, y: int, anchor: str) -> str:
    spans = "".join(
        f'<tspan x="{x:g}" y="{y + LINE * index}">{escape(line)}</tspan>' for index, line in enumerate(lines)
    )
    halo = f'stroke="{PAPER}" stroke-width="4" paint-order="stroke"'  # the dashed lines do not cross the words
    return f'<text text-anchor="{anchor}" fill="{INK}" {halo}>{spans}</text>'


def _draw_arrow(start: float, end: float, y: int, step: DiagramStep) -> str:
    """Return an arrow; the arrow of a lost message ends halfway, in a cross."""
    sign = 1 if end > start else -1
    tip = start + (end - start) * 0.6 if step.is_lost else end
    dashes = ' stroke-dasharray="6 4"' if step.is_answer else ""
    line = f'<path d="M{start:g} {y}H{tip:g}" stroke="{ACCENT}" stroke-width="1.5"{dashes}/>'
    if step.is_lost:
        return f'{line}<path d="M{tip - 5:g} {y - 5}l10 10m0 -10l-10 10" stroke="{LOST}" stroke-width="2.5"/>'
    return f'{line}<path d="M{tip:g} {y}l{-7 * sign} -4v8z" fill="{ACCENT}"/>'
