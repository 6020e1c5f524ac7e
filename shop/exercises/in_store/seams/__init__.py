"""The seams: how an attempt takes the place of the store's own code, a module an exercise, named like its slug.

``adapt(attempt, default)`` returns what the store's composition root uses instead of ``default``. It calls the attempt
through ``attempt.call``, which falls back on ``default``. Some seams take further parts of the store by keyword.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

SeamAdapter = Callable[..., Any]


def has_seam(slug: str) -> bool:
    """Return whether the attempt of an exercise can run in the store.

    Args:
        slug: of the exercise.
    """
    return find_spec(_module(slug)) is not None


def load_seam(slug: str) -> SeamAdapter:
    """Return the adapter of an exercise.

    Args:
        slug: of the exercise.
    """
    adapt: SeamAdapter = import_module(_module(slug)).adapt
    return adapt


def _module(slug: str) -> str:
    return f"{__name__}.{slug.replace('-', '_')}"
