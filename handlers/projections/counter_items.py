"""The views that count: which there are, for who writes them and who reads them."""

from __future__ import annotations

from typing import NamedTuple

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
