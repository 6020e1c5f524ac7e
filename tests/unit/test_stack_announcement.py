"""What a running stack tells its user to type next."""

import pytest

from shop.settings import PROJECT_ROOT, Settings
from shop.stack.up import second_terminal_command


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["bin/shop lab demo"]),
        ({"port": 8081}, ["export SHOP_PORT=8081", "bin/shop lab demo"]),
        ({"profile": "production"}, ["bin/shop status"]),
    ],
)
def test_second_terminal_knows_a_port_of_ones_own(changes, words):
    settings = Settings.model_construct(**{"port": 8080, "profile": "lab", **changes})
    assert second_terminal_command(settings).split(" && ") == [f"cd {PROJECT_ROOT}", *words]
