"""What the API reads: views for what is now, the log for what was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from events import streams
from events.envelope import Recorded
from events.notification import CustomerNotified
from events.ordering import OrderPlaced
from events.store import EventStore
from handlers.api.cursors import Position
from handlers.projections import order_items
from handlers.projections.order_fold import Attributes, fold

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_STREAMS = (streams.order, streams.reservation, streams.payment, streams.shipment, streams.cancellation)
_PAGES = 10
"""How many pages of the index a list reads at most, before it answers with fewer orders than asked for."""


class Reader:
    """Reads orders and stock.

    Args:
        store: the log; views and levels are items of the same table.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._client = store.client

    def order(self, order_id: str) -> Attributes | None:
        """An order as its view shows it."""
        return self._item(order_items.key(order_id, order_items.GENERATION))

    def stock(self, sku: str) -> int | None:
        """How much of a SKU is available, now; None for a SKU that was never delivered."""
        level = self._item({"PK": {"S": f"level#{sku}"}, "SK": {"S": "level"}})
        return None if level is None else int(level["available"])

    def history(self, order_id: str) -> list[Recorded]:
        """Every event of an order, whatever its stream, in the order they happened."""
        events = [
            record for stream in (*_STREAMS, streams.notification) for record in self._store.read(stream(order_id))
        ]
        return sorted(events, key=lambda record: record.metadata.occurred_at)

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
        """A customer's orders, newest first, and where to go on if there may be more.

        They come from the generation of views that the list began with.
        """
        generation = after.generation if after else order_items.GENERATION
        partition = order_items.customer_partition(customer_id, generation)
        found: list[Attributes] = []
        for _ in range(_PAGES):
            page = self._page(partition, status, after, limit - len(found), generation)
            found += page[0]
            after = page[1]
            if after is None or len(found) == limit:
                break
        return found, after

    def _page(
        self, partition: str, status: str | None, after: Position | None, limit: int, generation: str
    ) -> tuple[list[Attributes], Position | None]:
        names, values = {"#partition": "GSI1PK"}, {":partition": {"S": partition}}
        filtered: dict[str, Any] = {}
        if status:
            names["#status"], values[":status"] = "status", {"S": status}
            filtered["FilterExpression"] = "#status = :status"
        if after:
            filtered["ExclusiveStartKey"] = {
                **order_items.key(after.order_id, generation),
                "GSI1PK": {"S": partition},
                "GSI1SK": {"S": after.sort_key},
            }
        answer = self._client.query(
            TableName=self._store.table,
            IndexName="GSI1",
            KeyConditionExpression="#partition = :partition",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
            **filtered,
        )
        last = answer.get("LastEvaluatedKey")
        return [_attributes(item) for item in answer["Items"]], _position(last, generation) if last else None

    def _item(self, key: Mapping[str, AttributeValueTypeDef]) -> Attributes | None:
        item = self._client.get_item(TableName=self._store.table, Key=key).get("Item")
        return None if item is None else _attributes(item)


def _position(key: Mapping[str, Any], generation: str) -> Position:
    return Position(generation=generation, order_id=order_items.order_id(key["PK"]["S"]), sort_key=key["GSI1SK"]["S"])


def _attributes(item: Mapping[str, Any]) -> Attributes:
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
