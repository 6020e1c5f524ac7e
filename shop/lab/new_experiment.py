"""Writes the file of a new experiment: complete and valid, with a TODO at each place that needs its author."""

import re
from pathlib import Path
from string import Template

from shop.errors import ConfigurationError
from shop.lab.experiment import EXPERIMENTS

TEMPLATE = Path(__file__).parent / "templates" / "experiment.toml"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_experiment(name: str, folder: Path = EXPERIMENTS) -> Path:
    """Write the file of a new experiment, and return its path.

    Args:
        name: lower-case words with hyphens.
        folder: of the experiments.

    Raises:
        ConfigurationError: the name is malformed, or the file exists.
    """
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r}: a name has lower-case words with hyphens, such as cache-of-carts.")
    path = folder / f"{name}.toml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(Template(TEMPLATE.read_text(encoding="utf-8")).substitute(name=name))
    except FileExistsError:
        raise ConfigurationError(f"{path} exists: choose another name, or delete it.") from None
    return path
