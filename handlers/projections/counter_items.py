"""The views that count: which there are, and what an item of one holds, for those who write and those who read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


def numbers(item: Mapping[str, Any]) -> dict[str, int]:
    """What an item counts, by name."""
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}
