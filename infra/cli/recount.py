"""Setting a stock level to what the log says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from handlers.table import keys
from handlers.table.codec import decode, encode
from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.errors import Failure
from infra.cli.output import out, tell

if TYPE_CHECKING:
    from events.envelope import Recorded
    from handlers.operations.audit.balances import Level
    from handlers.table.event_store import EventStore


def recount(
    context: typer.Context,
    skus: Annotated[
        list[str], typer.Argument(metavar="SKU...", help="The SKUs whose levels to set.", show_default=False)
    ],
) -> None:
    """Set stock levels to what the log says: received, less reserved.

    Scans the whole log once, and sets a level only if it did not change since before that: every change is in one
    transaction with the event that explains it, so an unchanged level and the log as scanned are of one moment. A level
    that is gone is made anew, with the usual threshold until a delivery sets another.

    Needs dynamodb:GetItem, dynamodb:Scan and dynamodb:UpdateItem.
    """
    from handlers.operations.audit.balances import explained_levels  # noqa: PLC0415 - see the package

    store = connection.of(context).store
    wanted = {checked(sku, "SKU"): None for sku in skus}
    before = {sku: _level(store, sku) for sku in wanted}
    explained = explained_levels(_changes(store))
    for sku, level in before.items():
        if sku not in explained:
            raise Failure(f"the log knows nothing of {sku}")
        _set(store, sku, level, explained[sku])


def _level(store: EventStore, sku: str) -> Level | None:
    from handlers.operations.audit.balances import Level  # noqa: PLC0415 - see the package

    answer = store.client.get_item(TableName=store.table, Key=keys.level(sku).attributes, ConsistentRead=True)
    if "Item" not in answer:
        return None
    level = decode(answer["Item"])
    return Level(level["available"], level["version"])


def _changes(store: EventStore) -> Iterator[Recorded]:
    """The events that change levels: those of deliveries and reservations.

    Raises:
        Failure: one of them cannot be read, so nobody can say what the log says.
    """
    from handlers.table.event_store import recorded  # noqa: PLC0415 - see the package

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
                raise Failure(f"{' '.join(keys.Key.of(item))}: the event cannot be read") from unreadable


def _set(store: EventStore, sku: str, before: Level | None, log: Level) -> None:
    """Set a level, and tell what became of it; one that falls low by that is noticed as any other.

    Raises:
        Failure: it changed meanwhile.
    """
    from handlers.inventory.stock_levels import DEFAULT_THRESHOLD  # noqa: PLC0415 - see the package

    if before == log:
        tell(out(), f"{sku}: {log.available} are available, as the log says")
        return
    was = "no level" if before is None else f"{before.available} after {before.version} changes"
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
        raise Failure(f"the level of {sku} changed while the log was read, and is as it was: try again") from changed
    tell(out(), f"{sku}: was {was}, is {log.available} after {log.version}")
