"""The behavioural checks of build exercises: a module an exercise, a function a check.

A check calls the attempt through :class:`AttemptCalls` and raises ``AttemptFailed`` at the first wrong outcome. The
store's own function passes the same checks.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls

AttemptCheck = Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]
"""Called with the attempt's function, the means to call it, and the rule with threshold and repetitions."""


def load_checks(grader: str) -> Mapping[str, AttemptCheck]:
    """Return the checks of a grader, by name.

    Args:
        grader: name of its module.
    """
    checks: Mapping[str, AttemptCheck] = import_module(f"{__name__}.{grader}").CHECKS
    return checks
