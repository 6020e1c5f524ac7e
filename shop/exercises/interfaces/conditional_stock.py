"""The interface of the exercise ``conditional-stock``."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class ReserveStock(Protocol):
    """Reserves pieces of one product, or none of them."""

    def __call__(self, session: "Session", product_id: int, pieces: int) -> int | None:
        """Reserve pieces in the caller's transaction.

        Args:
            session: of the caller's transaction, which the caller commits or rolls back.
            product_id: the product.
            pieces: how many, 1 or more.

        Returns:
            The pieces that are still available afterwards; ``None`` if there were too few, and nothing has changed.
        """
        ...
