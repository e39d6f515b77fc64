"""Event stores: what tests put in, and read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderPlaced
from events.shops import own_id
from handlers.table.event_store import EventStore, recorded
from tests.builders.environment import VAULT_TABLE
from tests.builders.orders import order, placed
from tests.builders.tables import create_table, create_vault
from tests.builders.vault import remember, vaulted

_BATCH = 25


def place(store: EventStore, order_id: str = "demo.o1", *lines: Mapping[str, Any], **changed: Any) -> OrderPlaced:
    """Put an order at the beginning of its stream, and the person behind it into the vault."""
    event = placed(order_id, *lines, **changed)
    append(store, streams.order(order_id), event)
    remember(store, event, order(own_id(order_id), *lines, **changed))
    return event


def append(store: EventStore, stream: str, *events: DomainEvent) -> list[Recorded]:
    """Append events at the end of a stream."""
    return store.execute(stream, lambda _: events, correlation_id="test", causation_id="test")


def events_of(store: EventStore, stream: str) -> list[DomainEvent]:
    """The events of a stream."""
    return [record.event for record in store.read(stream)]


def items(store: EventStore, prefix: str = "") -> list[dict[str, Any]]:
    """All items whose partition key begins like that, sorted by key."""
    found: list[dict[str, Any]] = []
    for page in store.client.get_paginator("scan").paginate(TableName=store.table):
        found += [dict(item) for item in page["Items"] if str(item["PK"]["S"]).startswith(prefix)]
    return sorted(found, key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def contents(store: EventStore) -> dict[str, list[dict[str, Any]]]:
    """All items of the table and of the vault, by its name."""
    return {store.table: items(store), VAULT_TABLE: vaulted(store)}


def put(store: EventStore, contents: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Put items into the table and the vault as they were: in less time than they were made in."""
    for name, found in contents.items():
        for start in range(0, len(found), _BATCH):
            batch: Any = [{"PutRequest": {"Item": item}} for item in found[start : start + _BATCH]]
            store.client.batch_write_item(RequestItems={name: batch})


def clear(store: EventStore) -> None:
    """Empty table and vault: the examples of a property begin alike, and moto looks at every item in a query."""
    for name in (store.table, VAULT_TABLE):
        store.client.delete_table(TableName=name)
    create_table(store.client, store.table)
    create_vault(store.client, VAULT_TABLE)


def log(store: EventStore) -> list[Recorded]:
    """Every event there is, stream by stream."""
    return [recorded(item) for item in items(store) if item["SK"]["S"].startswith("event#")]


@contextmanager
def calls(client: Any) -> Iterator[list[str]]:
    """The operations that a client is asked for inside the block."""
    made: list[str] = []

    def note(model: Any, **_: Any) -> None:
        made.append(model.name)

    client.meta.events.register("before-call", note)
    try:
        yield made
    finally:
        client.meta.events.unregister("before-call", note)
