"""The order view: one item per order, for those who ask how far it is.

A view holds the version of each stream it has applied. The next version is one conditional update; an older one is a
duplicate; a newer one is a gap, filled from the log. So the view depends on the log alone, not on what arrives when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderRejected
from handlers.projections.engine.projection import Count, Item, LogBehind, Position, by_stream
from handlers.projections.order_fold import SET_BY, SHOWN, Attributes, fold, known
from handlers.projections.order_items import PROJECTION, REJECTED, with_index_keys, with_request_key
from handlers.retry_policy import MAX_CONFLICTS, Contended, classified
from handlers.runtime.observability import about
from handlers.table import keys
from handlers.table.batch_reading import items
from handlers.table.codec import decode, encode
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Condition = tuple[str, dict[str, str | int]]
"""A condition expression and its values."""

_SHOWN_REASONS = 3
_INDEXED = {
    "order": frozenset(
        name for index in (keys.ORDERS_BY_CUSTOMER, keys.ORDERS_BY_STATUS) for name in (index.pk, index.sk)
    ),
    "cancellation": frozenset({keys.REQUESTS_BY_STATUS.sk}),
}
"""The keys in the indexes that events of each kind of stream set."""
_VERSION = "_version"
_APPLIED = {"order": "order_id", "rejection": "rejected_at"}
"""By which a view shows that it has applied a stream of that kind; for the others, its version."""


class OrderView:
    """Keeps the order views.

    Args:
        store: the log, read where events are missing; the views are items of the same table.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._client: DynamoDBClient = store.client

    def apply(self, generation: str, records: Sequence[Recorded]) -> Mapping[Position, Exception]:
        """Apply events to the views of their orders: one write an order where nothing is missing."""
        orders: dict[str, list[Recorded]] = defaultdict(list)
        for record in records:
            if known(record.event):
                orders[_order_id(record.stream)].append(record)
        failures: dict[Position, Exception] = {}
        for order_id, delivered in orders.items():
            with about(order_id, PROJECTION):
                try:
                    self._apply(generation, order_id, delivered)
                except Exception as failure:
                    failures |= {(record.stream, record.version): failure for record in delivered}
        return failures

    def differing(self, generation: str, histories: Iterable[Sequence[Recorded]]) -> list[str]:
        """The streams whose attributes in a view, its keys in the indexes included, are not what they fold to."""
        wanted = {history[0].stream: history for history in histories if known(history[0].event)}
        views_of = {stream: keys.order_view(_order_id(stream), generation) for stream in wanted}
        views = items(self._client, self._store.table, views_of.values())
        return [
            stream
            for stream, history in wanted.items()
            if not _holds(decode(views.get(views_of[stream], {})), generation, stream, history)
        ]

    def _apply(self, generation: str, order_id: str, delivered: Sequence[Recorded]) -> None:
        rejections = [record for record in delivered if isinstance(record.event, OrderRejected)]
        if rejections:
            self._reject(generation, order_id, max(rejections, key=_rejected_at))
        others = by_stream(record for record in delivered if not isinstance(record.event, OrderRejected))
        if others:
            self._fold(generation, order_id, others)

    def _fold(self, generation: str, order_id: str, delivered: Mapping[str, Sequence[Recorded]]) -> None:
        parts = {stream: self._without_gaps(stream, records) for stream, records in delivered.items()}
        for _ in range(MAX_CONFLICTS):
            conditions = [
                _at_version(_version_attribute(stream), part[0].version - 1) for stream, part in parts.items()
            ]
            attributes: Attributes = {}
            for stream, part in parts.items():
                attributes |= _sets(stream, part)
            view = self._update(generation, order_id, with_index_keys(order_id, generation, attributes), conditions)
            if view is None:
                return
            parts = self._still_missing(parts, view)
            if not parts:
                return
        raise Contended(f"the view of order {order_id} is being written by too many others")

    def _without_gaps(self, stream: str, delivered: Sequence[Recorded]) -> list[Recorded]:
        """The delivered events of a stream in order, with those between them that were not delivered."""
        first, last = delivered[0].version, delivered[-1].version
        if len(delivered) == last - first + 1:
            return list(delivered)
        return self._read(stream, first - 1, last)

    def _still_missing(self, parts: Mapping[str, list[Recorded]], view: Mapping[str, Any]) -> dict[str, list[Recorded]]:
        """What the view lacks of these parts: nothing of a duplicate, and more where there is a gap."""
        missing: dict[str, list[Recorded]] = {}
        for stream, part in parts.items():
            known = view.get(_version_attribute(stream), 0)
            if part[0].version > known + 1:
                missing[stream] = self._read(stream, known, part[-1].version)
            elif part[-1].version > known:
                missing[stream] = [record for record in part if record.version > known]
        return missing

    def _read(self, stream: str, after: int, at_least: int) -> list[Recorded]:
        history = self._store.read(stream, after=after)
        if not history or history[-1].version < at_least:
            raise LogBehind(f"{stream} has no version {at_least} yet")
        return history

    def _reject(self, generation: str, order_id: str, record: Recorded) -> None:
        """Show the newest rejection; it makes the status only while there is no order."""
        rejected = record.event
        assert isinstance(rejected, OrderRejected)
        shown, at = _shown(record), _rejected_at(record)
        alone = _alone(generation, order_id, record)
        newer: Condition = ("(attribute_not_exists(rejected_at) OR rejected_at < :newer)", {":newer": at})
        no_order: Condition = ("attribute_not_exists(order_version)", {})
        view = self._update(generation, order_id, shown | alone, [newer, no_order])
        if view is not None and "order_version" in view:
            self._update(generation, order_id, shown, [newer])

    def _update(
        self, generation: str, order_id: str, attributes: Attributes, conditions: Iterable[Condition]
    ) -> Mapping[str, Any] | None:
        """Set attributes of a view if the conditions hold; else returns the view as it is."""
        expressions, values = zip(*conditions, strict=True)
        try:
            with classified():
                self._client.update_item(
                    TableName=self._store.table,
                    Key=keys.order_view(order_id, generation).attributes,
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                    ConditionExpression=" AND ".join(expressions),
                    ExpressionAttributeNames={f"#{name}": name for name in attributes},
                    ExpressionAttributeValues=encode(
                        {
                            **{f":{name}": value for name, value in attributes.items()},
                            **{name: value for each in values for name, value in each.items()},
                        }
                    ),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as failure:
            response: Mapping[str, Any] = failure.response
            return decode(response.get("Item", {}))
        return None


def _sets(stream: str, part: Sequence[Recorded]) -> Attributes:
    """What events of one stream set in a view, its version among it."""
    sets = with_request_key(_order_id(stream), fold(part), part[-1].occurred_at)
    return sets | {_version_attribute(stream): part[-1].version}


def _shown(record: Recorded) -> Attributes:
    """What a rejection shows in a view."""
    rejected = record.event
    assert isinstance(rejected, OrderRejected)
    reasons = "; ".join(f"{reason.field}: {reason.message}" for reason in rejected.reasons[:_SHOWN_REASONS])
    return {"rejected_at": _rejected_at(record), "rejection": reasons, "rejection_count": rejected.reason_count}


def _alone(generation: str, order_id: str, record: Recorded) -> Attributes:
    """What a rejection sets in a view, its keys in the indexes included, while there is no order."""
    by_time = keys.by_time(_rejected_at(record), order_id)
    alone: Attributes = {"order_id": order_id, "status": REJECTED, keys.ORDERS_BY_STATUS.sk: by_time}
    return with_index_keys(order_id, generation, alone)


def _holds(view: Attributes, generation: str, stream: str, history: Sequence[Recorded]) -> bool:
    """Whether a view has what a stream sets, and nothing that the log does not give.

    Of several rejections, each a stream, it has the newest.
    """
    kind = stream.partition("#")[0]
    may_have = SET_BY[kind]
    if isinstance(history[0].event, OrderRejected):
        expected = _shown(history[0])
        if view.get("rejected_at", "") > expected["rejected_at"]:
            return True
        if "order_version" not in view:
            expected |= _alone(generation, _order_id(stream), history[0])
            may_have |= SET_BY["order"] | _INDEXED["order"]
    else:
        expected = with_index_keys(_order_id(stream), generation, _sets(stream, history))
        may_have |= _INDEXED.get(kind, frozenset())
    given = keys.ATTRIBUTES.union(
        *(names for kind, names in SET_BY.items() if _APPLIED.get(kind, kind + _VERSION) in view)
    )
    return view.keys() <= given and all(view.get(name) == expected.get(name) for name in may_have)


def _version_attribute(stream: str) -> str:
    return stream.partition("#")[0] + _VERSION


def _at_version(attribute: str, version: int) -> Condition:
    if version == 0:
        return f"attribute_not_exists({attribute})", {}
    return f"{attribute} = :known_{attribute}", {f":known_{attribute}": version}


def _rejected_at(record: Recorded) -> str:
    """When a submission was rejected, and which: rejections at the same moment have an order too."""
    return f"{record.metadata.occurred_at.isoformat()}#{record.stream.rpartition('#')[2]}"


def _order_id(stream: str) -> str:
    return stream.split("#")[1]


class OrderViewDefinition:
    """What the order view is updated from, and what its items mean. It counts nothing."""

    name = PROJECTION
    function = PROJECTION
    events: tuple[type[DomainEvent], ...] = (*SHOWN, OrderRejected)

    def on(self, store: EventStore) -> OrderView:
        """The order view in the table of an event store."""
        return OrderView(store)

    def owns(self, generation: str, item: Item) -> bool:
        """Whether an item is a view of that generation."""
        key = keys.Key.of(item)
        return key.pk.startswith(keys.ORDER_VIEWS) and key.sk == generation

    def applied_events(self, item: Item) -> Iterator[Position]:
        """The newest event of each stream that a view has applied."""
        order_id = keys.Key.of(item).pk.removeprefix(keys.ORDER_VIEWS)
        view = decode(item)
        for name, value in view.items():
            if name.endswith(_VERSION):
                yield f"{name.removesuffix(_VERSION)}#{order_id}", value
        if "rejected_at" in view:
            yield streams.rejection(order_id, view["rejected_at"].rpartition("#")[2]), 1

    def stored_counts(self, _item: Item) -> Iterator[Count]:
        """Nothing: these views count nothing."""
        return iter(())

    def expected_counts(self, _histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
        """Nothing: these views count nothing."""
        return iter(())


ORDER_VIEW = OrderViewDefinition()
