"""The views that count: which there are, and what an item of one holds, for who writes them and who reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from handlers.table import keys


class Views(NamedTuple):
    """The views of a projection, and their kind, which their keys name."""

    projection: str
    kind: str

    @property
    def prefix(self) -> str:
        """What the partition keys of the views begin with."""
        return keys.views(self.kind)


SALES = Views("daily_sales", "sales")
STOCK = Views("stock_view", "stock")
CUSTOMERS = Views("customer_history", "customer")

SHARDS = 8
"""In how many views a day's sales are kept: many orders meet there."""


def day_views(day: str) -> list[str]:
    """The views of a day's sales (``2026-11-21``), one for each shard."""
    return [f"{day}#{shard}" for shard in range(SHARDS)]


def numbers(item: Mapping[str, Any]) -> dict[str, int]:
    """What an item counts, by name."""
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}
