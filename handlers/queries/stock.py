"""What is asked about stock."""

from __future__ import annotations

from typing import NamedTuple

from handlers.queries.counters import CounterQueries
from handlers.table import keys
from handlers.table.codec import decode
from handlers.table.event_store import EventStore


class Stocked(NamedTuple):
    """How much of a SKU is available, is reserved for orders, and was shipped."""

    available: int
    reserved: int
    shipped: int


class StockQueries:
    """Reads stock.

    Args:
        store: the log; levels are items of the same table.
        counters: the views that count.
    """

    def __init__(self, store: EventStore, counters: CounterQueries) -> None:
        self._client = store.client
        self._table = store.table
        self._counters = counters

    def by_sku(self, sku: str) -> Stocked | None:
        """How much of a SKU there is; None for one that was never delivered.

        What is available is the level, on which decisions rest. The rest is a view, which may be a moment behind.
        """
        level = self._client.get_item(TableName=self._table, Key=keys.level(sku).attributes).get("Item")
        if level is None:
            return None
        counts = self._counters.stock(sku)
        return Stocked(decode(level)["available"], counts.get("reserved", 0), counts.get("shipped", 0))
