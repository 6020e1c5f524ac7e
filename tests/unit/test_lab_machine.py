"""The machine and the store behind a figure."""

import pytest

from shop.lab.machine import describe_machine, machine_words, processor_model

OLDER = {"cpus": 2, "architecture": "x86_64", "system": "Linux 6.1", "python": "3.11.7"}


@pytest.mark.parametrize(
    ("listed", "model"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2.10GHz\n\nprocessor\t: 1\n", "Some CPU @ 2.10GHz"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", ""),
    ],
)
def test_processor_is_the_model_that_linux_lists(tmp_path, listed, model):
    (tmp_path / "cpuinfo").write_text(listed)
    assert processor_model(tmp_path / "cpuinfo") == model


def test_figure_names_processor_memory_and_size_of_the_store():
    machine = {**OLDER, "processor": "Some CPU", "memory_gb": 23.5}
    words = machine_words({"machine": machine, "store": {"products": 5000, "web_processes": 2}})
    assert words == "2 cores (Some CPU, 23.5 GB, Linux, Python 3.11.7, 5,000 products)"


def test_figure_of_an_earlier_release_names_what_it_has():
    assert machine_words({"machine": OLDER}) == "2 cores (x86_64, Linux, Python 3.11.7)"
    assert machine_words({"machine": describe_machine(), "store": {}}).endswith(")")
