"""Stock, and five strategies of concurrency control that reserve it.

Problem: two checkouts read "one left", and both sell it.
Method: one Protocol, :class:`StockStrategy`, and one class for each strategy. ``conditional`` decides in the UPDATE.
``pessimistic`` locks the row before it reads. ``serializable`` lets the database detect the conflict. ``optimistic``
writes only if the row is unchanged (compare and swap). ``naive`` has no protection. All of them reserve products in the
order of their ids, so two carts with the same products cannot deadlock. A CHECK constraint is the last protection.
Switch: ``checkout.stock``. Experiment: ``flash-sale``; the stock alone: ``loadtests/benchmarks/flash_sale.py``.
Source: PostgreSQL manual, 13.2 (isolation), 13.3 (explicit locking), 13.5 (serialization failures); Kung and Robinson,
"On Optimistic Methods for Concurrency Control" (1981).

Between checkout and settlement pieces are *reserved*: still in stock, but not available to others. Every method works
in the caller's transaction.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shop.catalog.stock.conditional_update import ConditionalStock
from shop.catalog.stock.naive import NaiveStock
from shop.catalog.stock.optimistic import OptimisticStock
from shop.catalog.stock.pessimistic import PessimisticStock
from shop.catalog.stock.protocol import Quantities, StockStrategy
from shop.catalog.stock.serializable import SerializableStock

STRATEGIES: Mapping[str, type[StockStrategy]] = MappingProxyType(
    {
        "conditional": ConditionalStock,
        "pessimistic": PessimisticStock,
        "serializable": SerializableStock,
        "optimistic": OptimisticStock,
        "naive": NaiveStock,
    }
)
"""By the value of the switch."""

__all__ = [
    "STRATEGIES",
    "ConditionalStock",
    "NaiveStock",
    "OptimisticStock",
    "PessimisticStock",
    "Quantities",
    "SerializableStock",
    "StockStrategy",
]
