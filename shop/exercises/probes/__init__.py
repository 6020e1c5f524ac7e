"""The probes of audit exercises: a module for each audited program, a function for each weakness.

A probe runs the reader's copy of the program and raises ``AttemptFailed`` if the weakness is there.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

from shop.exercises.probes.bench import PatientBench

PatientProbe = Callable[[PatientBench], None]


def load_probes(name: str) -> tuple[PatientProbe, Mapping[str, PatientProbe]]:
    """Return the probe that the program works at all, and the probe for each weakness, by name.

    Args:
        name: of the module.
    """
    module: ModuleType = import_module(f"{__name__}.{name}")
    return module.SERVES, module.PROBES
