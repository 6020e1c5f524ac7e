"""Which data sets there are, and in which sizes: all that is known of them before anything is loaded."""

from collections.abc import Mapping
from types import MappingProxyType

from shop.datasets.demo.sizes import SIZES as DEMO_SIZES
from shop.errors import ConfigurationError

SIZES: Mapping[str, tuple[str, ...]] = MappingProxyType({"demo": tuple(DEMO_SIZES), "complete-journey": ("full",)})
"""Data set to its sizes. Who has only one is not asked which."""


def require_size(dataset: str, size: str) -> None:
    """Make sure that a data set can be had in the size that was asked for.

    Raises:
        ConfigurationError: it cannot.
    """
    sizes = SIZES[dataset]
    if size not in sizes:
        there_are = "one size: leave out --size" if len(sizes) == 1 else f"the sizes {', '.join(sizes)}"
        raise ConfigurationError(f"The data set {dataset} has {there_are}.")
