"""What is asked about orders: views say what is now, the log what was."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Literal, NamedTuple

from events import streams
from events.envelope import Recorded
from events.model import Model, Text
from events.ordering import (
    CancellationRequested,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderPlaced,
)
from handlers.projections import order_items
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.projections.order_fold import Attributes, fold
from handlers.table import keys
from handlers.table.batch_reading import items
from handlers.table.codec import decode, encode
from handlers.table.event_store import EventStore
from handlers.table.keys import ORDERS_BY_CUSTOMER, ORDERS_BY_STATUS, Index, Key

_STREAMS = (
    *(streams.order, streams.reservation, streams.payment, streams.shipment, streams.cancellation),
    streams.erasure,
)
_PAGES = 10
"""How many pages of the index a list reads at most, before it answers with fewer orders than asked for."""


class Position(Model):
    """The last order shown: its sort key in the index, and the generation that the list is of."""

    generation: Text
    sort_key: Text


class Page(NamedTuple):
    """Orders of a list, newest first, as their views show them in lists, and where to go on if there may be more."""

    orders: list[Attributes]
    after: Position | None


class Cancellation(NamedTuple):
    """What became of a request to cancel an order, and why."""

    status: Literal["requested", "cancelling", "cancelled", "refused"]
    reason: str | None = None


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
        """An order as its view shows it; None until that has its placing or a refusal: other events may come first."""
        view = self._item(keys.order_view(order_id, self.generation()))
        return view if view and "status" in view else None

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

    def cancellation(self, order_id: str) -> Cancellation | None:
        """What became of a request to cancel an order, as the log has it; None where nobody asked."""
        order = [record.event for record in self._store.read(streams.order(order_id))]
        for event in reversed(order):
            if isinstance(event, OrderCancelled):
                return Cancellation("cancelled", event.reason)
            if isinstance(event, OrderCancellationStarted):
                return Cancellation("cancelling", event.reason)
        match [record.event for record in self._store.read(streams.cancellation(order_id))]:
            case [*_, OrderCancellationRefused(reason=reason)]:
                return Cancellation("refused", reason)
            case [CancellationRequested()]:
                return Cancellation("requested")
        if not order and self._store.read(streams.unknown_order(order_id)):
            return Cancellation("refused", "there was no such order")
        return None

    def order_as_of(self, order_id: str, moment: datetime) -> Attributes | None:
        """An order as it was at a moment, folded from the log; None if it was not placed by then."""
        events = [
            record
            for stream in _STREAMS
            for record in self._store.read(stream(order_id))
            if record.metadata.occurred_at <= moment
        ]
        return fold(events) if any(isinstance(record.event, OrderPlaced) for record in events) else None

    def orders_of_customer(self, customer_id: str, status: str | None, after: Position | None, limit: int) -> Page:
        """A customer's orders, newest first; the pages of a list are of one generation.

        The index names the views, and holds nothing of them.

        Raises:
            Retryable: try again.
        """
        generation = after.generation if after else self.generation()
        partition = keys.customer_partition(generation, customer_id)
        found: list[Attributes] = []
        for _ in range(_PAGES):
            page, last = self._newest(ORDERS_BY_CUSTOMER, partition, after, limit - len(found))
            found += [view for view in self._views(page) if status in (None, view["status"])]
            after = Position(generation=generation, sort_key=last) if last else None
            if after is None or len(found) == limit:
                break
        return Page(found, after)

    def orders_of_shops(
        self, shops: Collection[str], statuses: Collection[str], after: Position | None, limit: int
    ) -> Page:
        """The orders of shops that have one of these statuses, newest first; the pages of a list are of one generation.

        It asks each partition of the index for a page: eight a shop and status.

        Args:
            shops: theirs.
            statuses: in the order in which an order has them. One that moves on meanwhile is found twice then, and
                never missed; it is listed once, as it was found last.
            after: where the page before ended.
            limit: how many at most.
        """
        generation = after.generation if after else self.generation()
        partitions = [
            partition
            for shop in shops
            for status in statuses
            for partition in keys.status_partitions(generation, shop, status)
        ]
        pages = [self._newest(ORDERS_BY_STATUS, partition, after, limit)[0] for partition in partitions]
        found_last = {order["order_id"]: number for number, page in enumerate(pages) for order in page}
        once = ([each for each in page if found_last[each["order_id"]] == n] for n, page in enumerate(pages))
        found = list(islice(merge(*once, key=_sort_key, reverse=True), limit))
        last = Position(generation=generation, sort_key=_sort_key(found[-1])) if len(found) == limit else None
        return Page(found, last)

    def _newest(
        self, index: Index, partition: str, after: Position | None, limit: int
    ) -> tuple[list[Attributes], str | None]:
        """One page of a partition of an index, newest first, and the sort key to go on after, if there may be more."""
        names, values = {"#partition": index.pk}, {":partition": partition}
        condition = "#partition = :partition"
        if after:
            names["#at"], values[":after"] = index.sk, after.sort_key
            condition += " AND #at < :after"
        answer = self._client.query(
            TableName=self._store.table,
            IndexName=index.name,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=encode(values),
            ScanIndexForward=False,
            Limit=limit,
        )
        last = answer.get("LastEvaluatedKey")
        return [decode(item) for item in answer["Items"]], decode(last)[index.sk] if last else None

    def _views(self, listed: Iterable[Attributes]) -> Iterator[Attributes]:
        """The views with these keys, in that order, as far as they are still there."""
        wanted = [Key(each["PK"], each["SK"]) for each in listed]
        found = items(self._client, self._store.table, wanted)
        return (decode(found[key]) for key in wanted if key in found)

    def _item(self, key: Key) -> Attributes | None:
        item = self._client.get_item(TableName=self._store.table, Key=key.attributes).get("Item")
        return None if item is None else decode(item)


def _sort_key(order: Attributes) -> str:
    return str(order[ORDERS_BY_STATUS.sk])


def listed_at(order: Attributes) -> str:
    """When an order of a shop's list was placed, or rejected (ISO 8601)."""
    return keys.time_of(_sort_key(order))
