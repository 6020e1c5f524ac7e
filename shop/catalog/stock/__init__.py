"""Stock, and five ways of taking it.

Problem: two checkouts read "one left", both are content, both sell it.
Method: one Protocol, :class:`Stock`, and one class a way. ``conditional`` decides inside the UPDATE, ``pessimistic`` on
a row it locked first, ``serializable`` leaves it to the database to notice, ``optimistic`` writes only over what it
read, ``naive`` hopes. Products are always taken in the order of their ids, so two baskets with the same products cannot
wait for each other in a circle. A CHECK stands behind them all.
Switch: ``checkout.stock``. Experiment: ``flash-sale``; the stock alone: ``loadtests/benchmarks/flash_sale.py``.
Source: PostgreSQL manual, 13.2 (isolation), 13.3 (explicit locking), 13.5 (serialization failures); Kung and Robinson,
"On Optimistic Methods for Concurrency Control" (1981).

Between checkout and settlement pieces are *reserved*: still on the shelf, but promised. Everything works in the
caller's transaction.
"""

from collections.abc import Mapping
from types import MappingProxyType

from shop.catalog.stock.conditional import ConditionalStock
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
"""By the value of the switch that chooses them."""

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
