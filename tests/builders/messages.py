"""Messages as their sources send them: events of queues and of the table's stream, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from events import streams
from events.envelope import Actor, Recorded
from handlers.intake.requests import Request

SOURCE = "shop.web"
"""The EventBridge source of what is published."""

Item = Mapping[str, Any]
"""An item of the table, in DynamoDB's form."""


def sqs(*bodies: str, receives: int = 1, **attributes: str) -> dict[str, Any]:
    """A function's event: messages m0, m1, … of a queue with this receive count, and with attributes."""
    fields = ("receiptHandle", "eventSourceARN", "awsRegion", "md5OfBody")
    return {
        "Records": [
            {
                **dict.fromkeys(fields, ""),
                "messageId": f"m{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {
                    name: {"dataType": "String", "stringValue": value} for name, value in attributes.items()
                },
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def integration_event(detail_type: str, detail: Any) -> str:
    """The body of a message with an event of the intake bus."""
    return json.dumps({"id": f"intake-{detail_type}", "detail-type": detail_type, "source": SOURCE, "detail": detail})


def domain_event(item: Item) -> str:
    """The body of a message with an event of the orders bus, from its item in the log."""
    detail = {"metadata": json.loads(item["metadata"]["S"]), "data": json.loads(item["data"]["S"])}
    return json.dumps({"id": "bus", "detail-type": item["type"]["S"], "detail": detail})


def stream(*items: Item) -> dict[str, Any]:
    """The Lambda event of a table stream, with these new images."""
    return {
        "Records": [
            {"eventName": "INSERT", "dynamodb": {"Keys": {key: item[key] for key in ("PK", "SK")}, "NewImage": item}}
            for item in items
        ]
    }


CONTEXT = SimpleNamespace(
    function_name="unit", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:unit", aws_request_id="request-1"
)


def request(detail: Any, event_id: str = "e1", shop: str | None = "demo") -> Request:
    """What the shop was let in with, over the bus; without a shop, a warehouse or carrier."""
    return Request(event_id, detail, Actor(door="bus", principal=f"{shop or 'partner'}/{SOURCE}"), shop)


def from_publisher(detail: Any, detail_type: str = "OrderSubmitted") -> str:
    """A message of an intake queue: an integration event."""
    return json.dumps({"id": "e1", "detail-type": detail_type, "source": SOURCE, "detail": detail})


def from_bus(event: Recorded) -> str:
    """A message of a subscriber's queue: a domain event."""
    detail = {"metadata": json.loads(event.metadata_json), "data": json.loads(event.event.model_dump_json())}
    source = streams.source(event.stream)
    return json.dumps({"id": "b1", "detail-type": type(event.event).__name__, "source": source, "detail": detail})


def failed(answer: Any) -> list[str]:
    """The messages that a function wants again."""
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def inserted(item: Mapping[str, Any]) -> dict[str, Any]:
    """The stream record of a new item."""
    keys = {"PK": item["PK"], "SK": item["SK"]}
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": dict(item)}}
