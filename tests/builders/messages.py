"""Messages as their sources send them: events of queues and of the table's stream, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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
    return json.dumps({"id": f"intake-{detail_type}", "detail-type": detail_type, "detail": detail})


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


def submission(
    order_id: str,
    *,
    token: str = "tok_approve",
    postal_code: str = "N1 9GU",
    lines: Mapping[str, int] | None = None,
    unit_price: int = 250,
    email: str | None = "buyer@example.com",
) -> dict[str, Any]:
    """What a publisher sends as ``OrderSubmitted``; ``lines`` are quantities by SKU."""
    return {
        "order_id": order_id,
        "currency": "GBP",
        "lines": [
            {"sku": sku, "quantity": quantity, "unit_price": unit_price}
            for sku, quantity in (lines or {"apple": 2, "pear": 1}).items()
        ],
        "shipping_address": {
            "name": "A Buyer",
            "street": "1 Road",
            "city": "London",
            "postal_code": postal_code,
            "country": "GB",
        },
        "payment_token": token,
        **({"customer": {"customer_id": "c1", "email": email}} if email else {}),
    }
