from shop.cli.lab_progress import PhaseLines


def test_each_phase_is_a_line_without_a_terminal(capsys):
    with PhaseLines(134.4) as watcher:
        for text in ("run 1 of 3: off: warm-up", "run 1 of 3: off: warm-up", "run 1 of 3: off: open loop"):
            watcher.phase(text)
            watcher.advance(0.5)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "Takes about 134 s, longer on a busy machine.",
        "run 1 of 3: off: warm-up",
        "run 1 of 3: off: open loop",
    ]
