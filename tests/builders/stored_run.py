"""A run as it is stored: its items in the table, and its events in the audit copy."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from events.envelope import event_id
from handlers.operations.audit.table import Table
from handlers.runtime.aws import s3
from handlers.table import keys
from handlers.table.event_store import EventStore
from tests.builders.clean_run import TABLE
from tests.builders.recorded_events import image

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef
    from mypy_boto3_s3 import S3Client

BUCKET = "audit"
"""The bucket of the audit copy."""

DAY = "events/2026/01/02/"

_PLACES = {event_id(*place): place for place in TABLE.log}


@cache
def buckets() -> S3Client:
    return s3()


def hold(store: EventStore, table: Table = TABLE) -> None:
    """Put what a table holds into the one at hand."""
    items = list(stored(table))
    for start in range(0, len(items), 25):
        puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        store.client.batch_write_item(RequestItems={store.table: puts})


def stored(table: Table) -> Iterator[dict[str, Any]]:
    """The items of a table: events, views of generation 1, levels and counters."""
    yield from map(image, table.log.values())
    for order_id, view in table.views.items():
        yield {**keys.order_view(order_id, "1").attributes, **attributes(view)}
    for sku, level in table.levels.items():
        yield {**level_key(sku), **attributes(level)}
    numbers: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for count in (count for counts in table.counters.values() for count in counts):
        numbers[count.view, count.detail][count.name] = count.number
    for (partition, detail), counted in numbers.items():
        yield {**keys.counter(partition, "1", detail).attributes, **attributes(counted)}


def attributes(values: Any) -> dict[str, Any]:
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in values.items()
        if name not in {"PK", "SK"}
    }


def level_key(sku: str) -> dict[str, Any]:
    return {"PK": {"S": f"level#{sku}"}, "SK": {"S": "level"}}


def level(store: EventStore, sku: str) -> dict[str, Any]:
    return store.client.get_item(TableName=store.table, Key=level_key(sku)).get("Item", {})


def set_level(store: EventStore, sku: str, **changes: int) -> None:
    store.client.put_item(TableName=store.table, Item={**level(store, sku), **level_key(sku), **attributes(changes)})


def copied(event_ids: Iterable[str], name: str = "1") -> None:
    """Put events into the audit copy as Firehose does."""
    found = (json.dumps({"detail": {"metadata": _metadata(each), "data": {}}}) for each in event_ids)
    buckets().put_object(Bucket=BUCKET, Key=DAY + name, Body="".join(found).encode())


def _metadata(event: str) -> dict[str, Any]:
    stream, version = _PLACES.get(event, ("order#demo.elsewhere", 1))
    return {"event_id": event, "stream": stream, "version": version, "occurred_at": "2026-01-01T00:00:00Z"}
