"""Entry point of the order view: one item per order, for those who ask where it stands.

A view holds the version of each stream it has applied. The next version is one conditional update; an older one is a
duplicate; a newer one is a gap, filled from the log. So the view depends on the log alone, not on what arrives when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from events.envelope import Recorded
from events.ordering import OrderRejected
from events.store import EventStore, Throttled, throttling
from handlers.aws import event_store
from handlers.observability import about, lag
from handlers.projections.order_fold import Attributes, fold
from handlers.projections.order_items import REJECTED, customer_partition, view_key, with_index_keys
from handlers.subscriber import grouping_subscriber

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Condition = tuple[str, dict[str, Any]]
"""A condition expression and its values."""

_CONFLICTS_BEFORE_GIVING_WAY = 5
_SHOWN_REASONS = 3


class Behind(Exception):
    """The log, as read, ends below an event that was delivered: the event comes again."""


class OrderView:
    """Keeps the order views of one generation.

    Args:
        store: the log, read where events are missing; the views are items of the same table.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._client: DynamoDBClient = store.client

    def apply(self, order_id: str, delivered: Sequence[Recorded]) -> None:
        """Apply events of one order, in whatever order and however often they came: one write where nothing is missing.

        Raises:
            Behind: the log as read ends below an event that was delivered.
            Throttled: try again.
        """
        rejections = [record for record in delivered if isinstance(record.event, OrderRejected)]
        if rejections:
            self._reject(order_id, max(rejections, key=_rejected_at))
        by_stream: dict[str, list[Recorded]] = defaultdict(list)
        for record in delivered:
            if not isinstance(record.event, OrderRejected):
                by_stream[record.stream].append(record)
        if by_stream:
            self._fold(order_id, by_stream)

    def _fold(self, order_id: str, by_stream: Mapping[str, Sequence[Recorded]]) -> None:
        parts = {stream: self._without_gaps(stream, records) for stream, records in by_stream.items()}
        for _ in range(_CONFLICTS_BEFORE_GIVING_WAY):
            conditions = [_stands_at(_version_attribute(stream), part[0].version - 1) for stream, part in parts.items()]
            attributes: Attributes = {}
            for stream, part in parts.items():
                attributes |= fold(part) | {_version_attribute(stream): part[-1].version}
            view = self._update(order_id, with_index_keys(order_id, attributes), conditions)
            if view is None:
                return
            parts = self._still_missing(parts, view)
            if not parts:
                return
        raise Throttled(f"the view of order {order_id} is being written by too many others")

    def _without_gaps(self, stream: str, delivered: Sequence[Recorded]) -> list[Recorded]:
        """The delivered events of a stream in order, with those between them that did not come along."""
        by_version = {record.version: record for record in delivered}
        first, last = min(by_version), max(by_version)
        if len(by_version) == last - first + 1:
            return [by_version[version] for version in range(first, last + 1)]
        return self._read(stream, first - 1, last)

    def _still_missing(self, parts: Mapping[str, list[Recorded]], view: Mapping[str, Any]) -> dict[str, list[Recorded]]:
        """What the view lacks of these parts: nothing of a duplicate, and more where there is a gap."""
        missing: dict[str, list[Recorded]] = {}
        for stream, part in parts.items():
            known = int(view.get(_version_attribute(stream), {"N": "0"})["N"])
            if part[0].version > known + 1:
                missing[stream] = self._read(stream, known, part[-1].version)
            elif part[-1].version > known:
                missing[stream] = [record for record in part if record.version > known]
        return missing

    def _read(self, stream: str, after: int, at_least: int) -> list[Recorded]:
        history = self._store.read(stream, after=after)
        if not history or history[-1].version < at_least:
            raise Behind(f"{stream} has no version {at_least} yet")
        return history

    def _reject(self, order_id: str, record: Recorded) -> None:
        """Show the newest rejection; it makes the status only while there is no order."""
        rejected = record.event
        assert isinstance(rejected, OrderRejected)
        at = _rejected_at(record)
        told = "; ".join(f"{reason.field}: {reason.message}" for reason in rejected.reasons[:_SHOWN_REASONS])
        shown: Attributes = {"rejected_at": at, "rejection": told, "rejection_count": rejected.reason_count}
        alone: Attributes = {"order_id": order_id, "status": REJECTED, "GSI2SK": f"{at}#{order_id}"}
        if rejected.customer_id:
            alone |= {"customer_id": rejected.customer_id, "GSI1SK": f"{at}#{order_id}"}
            alone["GSI1PK"] = customer_partition(rejected.customer_id)
        newer: Condition = ("(attribute_not_exists(rejected_at) OR rejected_at < :newer)", {":newer": {"S": at}})
        no_order: Condition = ("attribute_not_exists(order_version)", {})
        view = self._update(order_id, with_index_keys(order_id, shown | alone), [newer, no_order])
        if view is not None and "order_version" in view:
            self._update(order_id, shown, [newer])

    def _update(
        self, order_id: str, attributes: Attributes, conditions: Iterable[Condition]
    ) -> Mapping[str, Any] | None:
        """Set attributes of a view if the conditions hold; else returns the view as it is."""
        expressions, values = zip(*conditions, strict=True)
        try:
            with throttling():
                self._client.update_item(
                    TableName=self._store.table,
                    Key=view_key(order_id),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                    ConditionExpression=" AND ".join(expressions),
                    ExpressionAttributeNames={f"#{name}": name for name in attributes},
                    ExpressionAttributeValues={
                        **{f":{name}": _typed(value) for name, value in attributes.items()},
                        **{name: value for each in values for name, value in each.items()},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as failure:
            response: Mapping[str, Any] = failure.response
            view: Mapping[str, Any] = response.get("Item", {})
            return view
        return None


def _version_attribute(stream: str) -> str:
    return f"{stream.partition('#')[0]}_version"


def _stands_at(attribute: str, version: int) -> Condition:
    if version == 0:
        return f"attribute_not_exists({attribute})", {}
    return f"{attribute} = :known_{attribute}", {f":known_{attribute}": {"N": str(version)}}


def _rejected_at(record: Recorded) -> str:
    """When a submission was rejected, and which: rejections at the same moment have an order too."""
    return f"{record.metadata.occurred_at.isoformat()}#{record.stream.rpartition('#')[2]}"


def _typed(value: str | int) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _order_id(record: Recorded) -> str:
    return record.stream.split("#")[1]


_view = OrderView(event_store())


def _apply(order_id: str, delivered: list[Recorded]) -> None:
    with about(order_id, "order_view"):
        _view.apply(order_id, delivered)
        for record in delivered:
            lag("ProjectionLag", since=record.metadata.occurred_at)


handler = grouping_subscriber(_order_id, _apply)
