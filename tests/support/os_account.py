"""Calls a function as another account of this machine."""

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

OTHER_UID = 54_321
"""An account without files of its own."""


def as_another_account(attempt: Callable[..., Any], *given: object) -> Any:
    """Return a function's result in a process of another account; unless root runs the tests, of this account."""
    with multiprocessing.get_context("fork").Pool(1, _become_another) as pool:
        return pool.apply(attempt, given)


def _become_another() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(OTHER_UID, OTHER_UID, OTHER_UID)
        os.setresuid(OTHER_UID, OTHER_UID, OTHER_UID)
