from tests.time_budget import budget_lines


def test_budget_names_what_is_left_and_what_each_folder_took():
    durations = [
        ("tests/unit/test_a.py::test_b", 1.2),
        ("tests/unit/c/test_d.py::test_e[f]", 0.9),
        ("tests/e2e/t.py", 70),
    ]
    used, folders, _ = budget_lines(301.4, durations)
    assert used == "5 min 1 s of 9 min 0 s (for two quiet cores): 3 min 59 s left"
    assert folders == "Added up over all processes: tests/e2e 1 min 10 s, tests/unit 2 s"


def test_run_that_exceeds_its_budget_is_told():
    assert "30 s too long" in budget_lines(570.0, [])[0]
