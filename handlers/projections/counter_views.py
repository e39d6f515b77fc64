"""The views that count: which there are, for those who write them and those who read them."""

from __future__ import annotations

from typing import NamedTuple

from handlers.table import keys


class CounterViews(NamedTuple):
    """The views of a projection, and their kind, which their keys name."""

    projection: str
    kind: str

    @property
    def prefix(self) -> str:
        """What the partition keys of the views begin with."""
        return keys.views(self.kind)


SALES = CounterViews("daily_sales", "sales")
STOCK = CounterViews("stock_view", "stock")
CUSTOMERS = CounterViews("customer_history", "customer")

SHARDS = 8
"""In how many views a day's sales are kept: many orders write to the same day."""


def day_views(day: str) -> list[str]:
    """The views of a day's sales (``2026-11-21``), one for each shard."""
    return [f"{day}#{shard}" for shard in range(SHARDS)]
