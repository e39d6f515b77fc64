"""Recount: set stock levels to what the log says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from events.envelope import Recorded
from handlers.inventory.stock_levels import DEFAULT_THRESHOLD
from handlers.operations.audit.balances import Level, explained_levels
from handlers.operations.errors import OperationFailed
from handlers.table import keys
from handlers.table.codec import decode, encode
from handlers.table.event_store import EventStore, recorded


class Recounted(NamedTuple):
    """The level of a SKU as it was, None if there was none, and as the log says, which it is now."""

    sku: str
    before: Level | None
    now: Level


def recount(store: EventStore, skus: Iterable[str]) -> Iterator[Recounted]:
    """Set the levels of SKUs to what the log says: received, less reserved.

    Scans the whole log once, and sets a level only if it did not change since before that: every change is in one
    transaction with the event that explains it, so an unchanged level and the log as scanned are of one moment. A level
    that is gone is created again, with the usual threshold until a delivery sets another. A level that becomes low by
    that is noticed like any other.

    Raises:
        OperationFailed: the log has nothing about a SKU, an event of it cannot be read, or the level changed
            meanwhile. Levels before it were set.
    """
    before = {sku: _level(store, sku) for sku in skus}
    explained = explained_levels(_changes(store))
    for sku, level in before.items():
        if sku not in explained:
            raise OperationFailed(f"the log has no event about {sku}")
        _set(store, sku, level, explained[sku])
        yield Recounted(sku, level, explained[sku])


def _level(store: EventStore, sku: str) -> Level | None:
    answer = store.client.get_item(TableName=store.table, Key=keys.level(sku).attributes, ConsistentRead=True)
    if "Item" not in answer:
        return None
    level = decode(answer["Item"])
    return Level(level["available"], level["version"])


def _changes(store: EventStore) -> Iterator[Recorded]:
    """The events that change levels: those of deliveries and reservations.

    Raises:
        OperationFailed: one of them cannot be read, so the levels cannot be known.
    """
    pages = store.client.get_paginator("scan").paginate(
        TableName=store.table,
        ConsistentRead=True,
        FilterExpression="begins_with(SK, :event) AND (begins_with(PK, :delivery) OR begins_with(PK, :reservation))",
        ExpressionAttributeValues=encode(
            {":event": keys.EVENT, ":delivery": "delivery#", ":reservation": "reservation#"}
        ),
    )
    for page in pages:
        for item in page["Items"]:
            try:
                yield recorded(item)
            except (KeyError, ValueError) as unreadable:
                place = " ".join(keys.Key.of(item))
                raise OperationFailed(f"{place}: the event cannot be read") from unreadable


def _set(store: EventStore, sku: str, before: Level | None, log: Level) -> None:
    """Set a level. Raises OperationFailed if it changed meanwhile."""
    if before == log:
        return
    values = {":available": log.available, ":version": log.version, ":threshold": DEFAULT_THRESHOLD}
    if before is None:
        unchanged, values[":was"] = "attribute_not_exists(PK)", 0
    else:
        unchanged = "available = :was AND version = :changes"
        values |= {":was": before.available, ":changes": before.version}
    try:
        store.client.update_item(
            TableName=store.table,
            Key=keys.level(sku).attributes,
            UpdateExpression="SET available = :available, previous = :was, version = :version, "
            "threshold = if_not_exists(threshold, :threshold) REMOVE previous_threshold",
            ConditionExpression=unchanged,
            ExpressionAttributeValues=encode(values),
        )
    except store.client.exceptions.ConditionalCheckFailedException as changed:
        raise OperationFailed(
            f"the level of {sku} changed while the log was read, and is as it was: try again"
        ) from changed
