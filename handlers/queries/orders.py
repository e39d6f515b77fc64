"""What is asked about orders: views say what is now, the log what was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from events import streams
from events.envelope import Recorded
from events.model import Id, Model, Text
from events.ordering import OrderPlaced
from handlers.projections import order_items
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.order_fold import Attributes, fold
from handlers.table import keys
from handlers.table.codec import decode, encode
from handlers.table.event_store import EventStore
from handlers.table.keys import Key

_STREAMS = (streams.order, streams.reservation, streams.payment, streams.shipment, streams.cancellation)
_PAGES = 10
"""How many pages of the index a list reads at most, before it answers with fewer orders than asked for."""


class Position(Model):
    """The last order shown: its key in the index, and the generation that the list is of."""

    generation: Text
    order_id: Id
    sort_key: Text


class Listed(NamedTuple):
    """An order in a list: when it was placed, or rejected (ISO 8601), and what its view shows of it in lists."""

    at: str
    order: Attributes


class OrderQueries:
    """Reads orders: one, its history, lists of them.

    Args:
        store: the log; the views are items of the same table.
        generations: which generations of the views there are.
    """

    def __init__(self, store: EventStore, generations: KnownGenerations) -> None:
        self._store = store
        self._client = store.client
        self._generations = generations

    def generation(self) -> str:
        """The generation of order views that is live, or was a few seconds ago."""
        return self._generations.live(order_items.PROJECTION)

    def keeps(self, generation: str) -> bool:
        """Whether a generation of order views can still be read, as far as is known."""
        return self._generations.keeps(order_items.PROJECTION, generation)

    def order(self, order_id: str) -> Attributes | None:
        """An order as its view shows it."""
        return self._item(keys.order_view(order_id, self.generation()))

    def history(self, order_id: str) -> list[Recorded]:
        """Every event of an order, whatever its stream, in the order they happened.

        Of submissions under its id that were refused, the newest: which stream it has, the view alone knows.
        """
        names = [stream(order_id) for stream in (*_STREAMS, streams.notification)]
        view = self.order(order_id) or {}
        if "rejected_at" in view:
            names.append(streams.rejection(order_id, view["rejected_at"].rpartition("#")[2]))
        histories = map(self._store.read, names)
        # Merged, not sorted: within a stream the version is the order, whatever the clocks said.
        return list(merge(*histories, key=lambda record: record.metadata.occurred_at))

    def order_as_of(self, order_id: str, moment: datetime) -> Attributes | None:
        """An order as it was at a moment, folded from the log; None if it was not placed by then."""
        events = [
            record
            for stream in _STREAMS
            for record in self._store.read(stream(order_id))
            if record.metadata.occurred_at <= moment
        ]
        return fold(events) if any(isinstance(record.event, OrderPlaced) for record in events) else None

    def orders_of_customer(
        self, customer_id: str, status: str | None, after: Position | None, limit: int
    ) -> tuple[list[Attributes], Position | None]:
        """A customer's orders, newest first, and where to go on, in the same generation, if there may be more."""
        generation = after.generation if after else self.generation()
        found: list[Attributes] = []
        for _ in range(_PAGES):
            page, after = self._customer_page(generation, customer_id, status, after, limit - len(found))
            found += page
            if after is None or len(found) == limit:
                break
        return found, after

    def orders_with_status(self, status: str, limit: int) -> list[Listed]:
        """The newest orders with a status, at most so many, newest first."""
        generation = self.generation()
        partitions = keys.status_partitions(generation, status)
        shards = (self._status_shard(partition, limit) for partition in partitions)
        newest = islice(merge(*shards, key=_status_sort_key, reverse=True), limit)
        return [Listed(_status_sort_key(order).partition("#")[0], order) for order in newest]

    def _status_shard(self, partition: str, limit: int) -> Iterator[Attributes]:
        index = keys.ORDERS_BY_STATUS
        pages = self._client.get_paginator("query").paginate(
            TableName=self._store.table,
            IndexName=index.name,
            KeyConditionExpression=f"{index.pk} = :partition",
            ExpressionAttributeValues=encode({":partition": partition}),
            ScanIndexForward=False,
            PaginationConfig={"PageSize": limit},
        )
        for page in pages:
            yield from map(decode, page["Items"])

    def _customer_page(
        self, generation: str, customer_id: str, status: str | None, after: Position | None, limit: int
    ) -> tuple[list[Attributes], Position | None]:
        index, partition = keys.ORDERS_BY_CUSTOMER, keys.customer_partition(generation, customer_id)
        names, values = {"#partition": index.pk}, {":partition": partition}
        filtered: dict[str, Any] = {}
        if status:
            names["#status"], values[":status"] = "status", status
            filtered["FilterExpression"] = "#status = :status"
        if after:
            filtered["ExclusiveStartKey"] = {
                **keys.order_view(after.order_id, generation).attributes,
                **encode({index.pk: partition, index.sk: after.sort_key}),
            }
        answer = self._client.query(
            TableName=self._store.table,
            IndexName=index.name,
            KeyConditionExpression="#partition = :partition",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=encode(values),
            ScanIndexForward=False,
            Limit=limit,
            **filtered,
        )
        last = answer.get("LastEvaluatedKey")
        return [decode(item) for item in answer["Items"]], _position(generation, last) if last else None

    def _item(self, key: Key) -> Attributes | None:
        item = self._client.get_item(TableName=self._store.table, Key=key.attributes).get("Item")
        return None if item is None else decode(item)


def _position(generation: str, key: Mapping[str, Any]) -> Position:
    order_id = Key.of(key).pk.removeprefix(keys.ORDER_VIEWS)
    return Position(generation=generation, order_id=order_id, sort_key=decode(key)[keys.ORDERS_BY_CUSTOMER.sk])


def _status_sort_key(order: Attributes) -> str:
    return str(order[keys.ORDERS_BY_STATUS.sk])
