"""Where views that count are in the table: names and keys only, for those who write them and those who read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class CounterViews(NamedTuple):
    """The views of a projection: their keys begin with ``view#<kind>#``."""

    projection: str
    kind: str

    @property
    def prefix(self) -> str:
        """What the partition keys of the views begin with."""
        return f"view#{self.kind}#"


SALES = CounterViews("daily_sales", "sales")
STOCK = CounterViews("stock_view", "stock")
CUSTOMERS = CounterViews("customer_history", "customer")

SHARDS = 8
"""In how many views a day's sales are kept: many orders write to the same day."""


def day_views(day: str) -> list[str]:
    """The views of a day's sales (``2026-11-21``), one for each shard."""
    return [f"{day}#{shard}" for shard in range(SHARDS)]


def sort_key(generation: str, detail: str = "") -> str:
    """The sort key of a counter; ``detail`` distinguishes it from others of the same view."""
    return f"{generation}#{detail}" if detail else generation


def counter_key(partition: str, generation: str, detail: str = "") -> dict[str, AttributeValueTypeDef]:
    """The key of a counter."""
    return {"PK": {"S": partition}, "SK": {"S": sort_key(generation, detail)}}


def detail_of(item: Mapping[str, Any], generation: str) -> str:
    """Which counter of its view an item is."""
    found: str = item["SK"]["S"].removeprefix(generation).removeprefix("#")
    return found


def numbers(item: Mapping[str, Any]) -> dict[str, int]:
    """What an item counts, by name."""
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}
