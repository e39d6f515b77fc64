"""Orders, events and the shapes in which they reach a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from events import streams
from events.envelope import Metadata, Recorded, event_id
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderConfirmed, OrderPlaced
from handlers.intake.messages import IntakeMessage
from handlers.ordering import submission
from handlers.runtime import aws
from handlers.table import keys
from handlers.table.event_store import EventStore, New, recorded
from tests.builders.environment import QUEUE_URL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

CONTEXT = SimpleNamespace(
    function_name="unit", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:unit", aws_request_id="request-1"
)
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

EMAIL, STREET, TOKEN = "ada@customers.example", "12 Analytical Row", "tok_approve"
"""Customer data, which no log line may hold."""


def order(order_id: str | None = "o1", *lines: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """What a publisher submits; a field changed to None is left out."""
    content = {
        "order_id": order_id,
        "currency": "GBP",
        "lines": list(lines) or [line()],
        "customer": {"customer_id": "c1", "email": EMAIL},
        "shipping_address": {
            "name": "Ada Lovelace",
            "street": STREET,
            "city": "London",
            "postal_code": "N1",
            "country": "GB",
        },
        "payment_token": TOKEN,
        **changed,
    }
    return {name: value for name, value in content.items() if value is not None}


def line(sku: str = "A", quantity: int = 1, unit_price: int = 100, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "unit_price": unit_price, **more}


def to(postal_code: str) -> dict[str, str]:
    """An address with that postal code: carriers' sandboxes go by it."""
    address: dict[str, str] = order()["shipping_address"]
    return {**address, "postal_code": postal_code}


def placed(order_id: str = "o1", *lines: Mapping[str, Any], **changed: Any) -> OrderPlaced:
    decided = submission.decide(order(order_id, *lines, **changed))
    assert isinstance(decided, OrderPlaced), decided
    return decided


def place(store: EventStore, order_id: str = "o1", *lines: Mapping[str, Any], **changed: Any) -> OrderPlaced:
    """Put an order at the beginning of its stream."""
    event = placed(order_id, *lines, **changed)
    append(store, streams.order(order_id), event)
    return event


def append(store: EventStore, stream: str, *events: DomainEvent) -> list[Recorded]:
    """Append events at the end of a stream."""
    return store.execute(stream, lambda _: events, correlation_id="test", causation_id="test")


def told(store: EventStore, stream: str) -> list[DomainEvent]:
    """The events of a stream."""
    return [record.event for record in store.read(stream)]


def names(events: Iterable[DomainEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def record(event: DomainEvent, stream: str, version: int, at: datetime = START, causation_id: str = "test") -> Recorded:
    """An event as the log would hold it, a second after the version before."""
    metadata = Metadata(
        event_id=event_id(stream, version),
        stream=stream,
        version=version,
        schema_version=event.schema_version,
        occurred_at=at + timedelta(seconds=version),
        correlation_id="test",
        causation_id=causation_id,
    )
    return Recorded(event, stream, version, metadata.model_dump_json())


def image(event: Recorded) -> dict[str, Any]:
    """The item of an event."""
    return {
        **keys.event(event.stream, event.version).attributes,
        "type": {"S": type(event.event).__name__},
        "schema_version": {"N": str(event.event.schema_version)},
        "data": {"S": event.event.model_dump_json(exclude_none=True)},
        "metadata": {"S": event.metadata_json},
    }


def envelope(detail: Any, event_id: str = "e1", detail_type: str = "OrderSubmitted") -> IntakeMessage:
    return IntakeMessage.model_validate({"id": event_id, "detail-type": detail_type, "detail": detail})


def from_publisher(detail: Any, detail_type: str = "OrderSubmitted") -> str:
    """A message of an intake queue: an integration event."""
    return json.dumps({"id": "e1", "detail-type": detail_type, "source": "shop.web", "detail": detail})


def from_bus(event: Recorded) -> str:
    """A message of a subscriber's queue: a domain event."""
    detail = {"metadata": json.loads(event.metadata_json), "data": json.loads(event.event.model_dump_json())}
    source = streams.source(event.stream)
    return json.dumps({"id": "b1", "detail-type": type(event.event).__name__, "source": source, "detail": detail})


def sqs(*bodies: str, receives: int = 1, **attributes: str) -> dict[str, Any]:
    """A function's event: messages m0, m1, … of a queue, delivered for the ``receives``-th time, with attributes."""
    fields = ("receiptHandle", "eventSource", "eventSourceARN", "awsRegion", "md5OfBody")
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {
                    name: {"dataType": "String", "stringValue": value} for name, value in attributes.items()
                },
                **dict.fromkeys(fields, ""),
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def failed(answer: Any) -> list[str]:
    """The messages that a function wants again."""
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def inserted(item: Mapping[str, Any]) -> dict[str, Any]:
    """The stream record of a new item."""
    keys = {"PK": item["PK"], "SK": item["SK"]}
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": dict(item)}}


class Raced(EventStore):
    """A store on whose reads and appends something happens, such as another being quicker, or an exception.

    ``after_read`` is called with a stream that has been read, ``before_append`` with the stream and version.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        after_read: Callable[[str], object] = lambda stream: None,
        before_append: Callable[[str, int], object] = lambda stream, version: None,
    ) -> None:
        super().__init__(store.client, store.table, store.clock)
        self._after_read = after_read
        self._before_append = before_append

    def read(self, stream: str, *, after: int = 0) -> list[Recorded]:
        history = super().read(stream, after=after)
        self._after_read(stream)
        return history

    def append(
        self, stream: str, version: int, event: DomainEvent, *, correlation_id: str, causation_id: str
    ) -> Recorded:
        self._before_append(stream, version)
        return super().append(stream, version, event, correlation_id=correlation_id, causation_id=causation_id)

    def append_with(
        self,
        stream: str,
        version: int,
        event: DomainEvent,
        changes: Sequence[TransactWriteItemTypeDef],
        *,
        correlation_id: str,
        causation_id: str,
    ) -> Recorded:
        self._before_append(stream, version)
        return super().append_with(
            stream, version, event, changes, correlation_id=correlation_id, causation_id=causation_id
        )

    def append_together(self, events: Sequence[New], *, correlation_id: str, causation_id: str) -> list[Recorded]:
        for new in events:
            self._before_append(new.stream, new.version)
        return super().append_together(events, correlation_id=correlation_id, causation_id=causation_id)


def cancelled_meanwhile(store: EventStore, order_id: str = "o1") -> EventStore:
    """A store in which the order is placed when it is read for the first time, and being cancelled from then on."""
    started = OrderCancellationStarted(order_id=order_id, reason="CancellationRequested")
    return _meanwhile(store, order_id, started)


def confirmed_meanwhile(store: EventStore, order_id: str = "o1") -> EventStore:
    """A store in which the order is placed when it is read for the first time, and confirmed from then on."""
    return _meanwhile(store, order_id, OrderConfirmed(order_id=order_id))


def _meanwhile(store: EventStore, order_id: str, event: DomainEvent) -> EventStore:
    stream = streams.order(order_id)

    def after_read(read: str) -> None:
        if read == stream and len(store.read(stream)) == 1:
            append(store, stream, event)

    return Raced(store, after_read=after_read)


def items(store: EventStore, prefix: str = "") -> list[dict[str, Any]]:
    """All items whose partition key begins like that, sorted by key."""
    found: list[dict[str, Any]] = []
    for page in store.client.get_paginator("scan").paginate(TableName=store.table):
        found += [dict(item) for item in page["Items"] if str(item["PK"]["S"]).startswith(prefix)]
    return sorted(found, key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def clear(store: EventStore) -> None:
    """Empty the table: the examples of a property begin alike."""
    for item in items(store):
        store.client.delete_item(TableName=store.table, Key={"PK": item["PK"], "SK": item["SK"]})


def log(store: EventStore) -> list[Recorded]:
    """Every event there is, stream by stream."""
    return [recorded(item) for item in items(store) if item["SK"]["S"].startswith("event#")]


@cache
def queue() -> SQSClient:
    """An SQS client."""
    return aws.sqs()


def dead_letters() -> list[MessageTypeDef]:
    """What is in the dead-letter queue."""
    found: list[MessageTypeDef] = []
    while (
        page := queue()
        .receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0)
        .get("Messages")
    ):
        found += page
    return found


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
