"""The names and sizes of the data sets, without the code that loads them."""

from collections.abc import Mapping
from types import MappingProxyType

from shop.datasets.demo.sizes import SIZES as DEMO_SIZES
from shop.errors import ConfigurationError

SIZES: Mapping[str, tuple[str, ...]] = MappingProxyType({"demo": tuple(DEMO_SIZES), "complete-journey": ("full",)})
"""Data set to its sizes. A data set with one size needs no size option."""


def require_size(dataset: str, size: str) -> None:
    """Check that a data set has a size.

    Raises:
        ConfigurationError: the data set does not have the size.
    """
    sizes = SIZES[dataset]
    if size not in sizes:
        available = "one size: leave out --size" if len(sizes) == 1 else f"the sizes {', '.join(sizes)}"
        raise ConfigurationError(f"The data set {dataset} has {available}.")
