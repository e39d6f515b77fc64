"""What the API reads: views for what is now, the log for what was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from heapq import merge
from typing import Any, NamedTuple

from events import streams
from events.envelope import Recorded
from events.model import Id, Model, Text
from events.ordering import OrderPlaced
from handlers.projections import order_items
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.order_fold import Attributes, fold
from handlers.queries.counters import Counters
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


class Stocked(NamedTuple):
    """How much of a SKU is available, is reserved for orders, and was shipped."""

    available: int
    reserved: int
    shipped: int


class Reader:
    """Reads orders and stock; ``counters`` reads the views that count.

    Args:
        store: the log; views and levels are items of the same table.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._client = store.client
        self._generations = KnownGenerations(GenerationStore(store.client, store.table))
        self.counters = Counters(store, self._generations)

    def generation(self) -> str:
        """The generation of order views that is live, or was a few seconds ago."""
        return self._generations.live(order_items.PROJECTION)

    def keeps(self, generation: str) -> bool:
        """Whether a generation of order views is there to be read, as far as is known."""
        return self._generations.keeps(order_items.PROJECTION, generation)

    def order(self, order_id: str) -> Attributes | None:
        """An order as its view shows it."""
        return self._item(keys.order_view(order_id, self.generation()))

    def stock(self, sku: str) -> Stocked | None:
        """How much of a SKU there is; None for one that was never delivered.

        What is available is the level, on which decisions rest. The rest is a view, which may be a moment behind.
        """
        level = self._item(keys.level(sku))
        if level is None:
            return None
        counts = self.counters.stock(sku)
        return Stocked(int(level["available"]), counts.get("reserved", 0), counts.get("shipped", 0))

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
        """An order as it stood at a moment, folded from the log; None if it was not placed by then."""
        events = [
            record
            for stream in _STREAMS
            for record in self._store.read(stream(order_id))
            if record.metadata.occurred_at <= moment
        ]
        return fold(events) if any(isinstance(record.event, OrderPlaced) for record in events) else None

    def orders_of(
        self, customer_id: str, status: str | None, after: Position | None, limit: int
    ) -> tuple[list[Attributes], Position | None]:
        """A customer's orders, newest first, and where to go on, in the same generation, if there may be more."""
        generation = after.generation if after else self.generation()
        found: list[Attributes] = []
        for _ in range(_PAGES):
            page, after = self._page(generation, customer_id, status, after, limit - len(found))
            found += page
            if after is None or len(found) == limit:
                break
        return found, after

    def _page(
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
