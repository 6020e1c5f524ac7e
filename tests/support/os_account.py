"""Trying something as another account of this machine."""

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

ANOTHER = 54_321
"""An account that owns nothing here."""


def as_another_account(attempt: Callable[..., Any], *given: object) -> Any:
    """Return what a function came to in a process of another account; of this one, where root alone could change it."""
    with multiprocessing.get_context("fork").Pool(1, _become_another) as pool:
        return pool.apply(attempt, given)


def _become_another() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(ANOTHER, ANOTHER, ANOTHER)
        os.setresuid(ANOTHER, ANOTHER, ANOTHER)
