"""What the table holds, and reading it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from events.envelope import Recorded
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.projection import Count
from handlers.projections.registry import PROJECTIONS
from handlers.table import keys
from handlers.table.event_store import recorded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORDER_VIEW = "order_view"
"""The projection whose views show orders."""

Place = tuple[str, int]
"""The place of an event in the log: its stream, and its version."""

Item = Mapping[str, Any]
"""Attributes of an item as plain values: texts and integers."""


@dataclass(frozen=True)
class Table:
    """What the table holds.

    ``log`` has every event by its key, ``unreadable`` the keys of those that could not be read. Levels, the
    views of the live generation, and books are by SKU, by order id, and by idempotency key. ``counters`` are those of
    the live generation of each projection.
    """

    log: Mapping[Place, Recorded] = field(default_factory=dict)
    unreadable: Sequence[str] = ()
    levels: Mapping[str, Item] = field(default_factory=dict)
    views: Mapping[str, Item] = field(default_factory=dict)
    charges: Mapping[str, Item] = field(default_factory=dict)
    consignments: Mapping[str, Item] = field(default_factory=dict)
    counters: Mapping[str, Sequence[Count]] = field(default_factory=dict)


def read_table(client: DynamoDBClient, name: str, *, on_page: Callable[[int], None] = lambda _: None) -> Table:
    """Scan the table. ``on_page`` is called for each page with its number of items.

    Raises:
        ClientError: DynamoDB refuses.
    """
    generations = GenerationStore(client, name)
    live = {projection: generations.read(projection).live for projection in PROJECTIONS}
    counters: dict[str, list[Count]] = {projection: [] for projection in PROJECTIONS}
    log: dict[Place, Recorded] = {}
    unreadable: list[str] = []
    others: dict[str, dict[str, Item]] = {
        keys.LEVEL: {},
        keys.ORDER_VIEWS: {},
        keys.books("payments"): {},
        keys.books("shipping"): {},
    }
    for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
        for item in page["Items"]:
            key, sort_key = item["PK"]["S"], item["SK"]["S"]
            if sort_key.startswith(keys.EVENT):
                try:
                    log[key, keys.version_of(sort_key)] = recorded(item)
                except (KeyError, ValueError):
                    unreadable.append(f"{key} {sort_key}")
                continue
            for prefix, items in others.items():
                if key.startswith(prefix) and (sort_key == live[ORDER_VIEW] or prefix != keys.ORDER_VIEWS):
                    items[key.removeprefix(prefix)] = plain(item)
            for projection, definition in PROJECTIONS.items():
                if definition.owns(live[projection], item):
                    counters[projection] += definition.stored_counts(item)
        on_page(len(page["Items"]))
    return Table(
        log,
        unreadable,
        levels=others[keys.LEVEL],
        views=others[keys.ORDER_VIEWS],
        charges=others[keys.books("payments")],
        consignments=others[keys.books("shipping")],
        counters=counters,
    )


def plain(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB's as plain values."""
    return {name: int(value["N"]) if "N" in value else value.get("S", str(value)) for name, value in item.items()}
