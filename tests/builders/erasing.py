"""Customers to forget: their orders in log and vault, their dead-letter messages, and the erasure's function.

How it works: orders come in by the intake's function, so log and vault are as it leaves them; outcomes are appended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from events import streams
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from events.shops import own_id, shop_of
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterMessage
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from tests.builders.environment import DEAD_LETTER_BUCKET, ERASURE_LEDGER, VAULT_TABLE
from tests.builders.messages import SOURCE, sqs
from tests.builders.stores import append
from tests.engines.in_process import Functions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OPERATOR = "arn:aws:iam::123456789012:user/operator"
Progress = dict[str, Any]

_numbers = count(1)


@cache
def buckets() -> S3Client:
    return aws.s3()


def dead_letter_bucket() -> DeadLetterBucket:
    return DeadLetterBucket(buckets(), DEAD_LETTER_BUCKET)


def submitted(own_order_id: str | None, customer: str | None = "c1", **changed: Any) -> dict[str, Any]:
    """What a shop submits, under its own ids; of a guest without a customer."""
    detail = {
        "order_id": own_order_id,
        "currency": "GBP",
        "lines": [{"sku": "A", "quantity": 1, "unit_price": 100, "description": "a gift"}],
        "shipping_address": {
            **{"name": "Ada", "street": "12 Row", "city": "London"},
            **{"postal_code": "N1 9GU", "country": "GB"},
        },
        "payment_token": "tok_approve",
        "customer": {"customer_id": customer, "email": "ada@customers.example"} if customer else None,
        **changed,
    }
    return {name: value for name, value in detail.items() if value is not None}


def message(detail: Any, detail_type: str = "OrderSubmitted", source: str = SOURCE) -> str:
    """The body of a message from the intake bus."""
    return json.dumps({"id": f"e{next(_numbers)}", "detail-type": detail_type, "source": source, "detail": detail})


def place(functions: Functions, *order_ids: str, customer: str | None = "c1") -> None:
    """Let orders of a customer be placed, or of a guest; their ids have the shop."""
    for order_id in order_ids:
        assert shop_of(order_id) == "demo"
        answer = functions.invoke("order_intake", sqs(message(submitted(own_id(order_id), customer))))
        assert answer == {"batchItemFailures": []}


def confirm(store: EventStore, *order_ids: str) -> None:
    for order_id in order_ids:
        append(store, streams.order(order_id), OrderConfirmed(order_id=order_id))


def cancelled(order_id: str) -> tuple[DomainEvent, ...]:
    reason = {"order_id": order_id, "reason": "OutOfStock"}
    return OrderCancellationStarted(**reason), OrderCancelled(**reason)


def dead_letter(body: str, source: str = "order_intake", *, redriven: bool = False) -> str:
    """Store a dead-letter message; returns its key."""
    number = next(_numbers)
    stored = DeadLetterMessage(
        message_id=f"m{number}",
        source=source,
        error="Refused",
        reasons="because",
        attempts=1,
        sent_at=datetime(2026, 1, 2, tzinfo=UTC),
        body=body,
        attributes={},
    )
    bucket = dead_letter_bucket()
    bucket.put(stored)
    if not redriven:
        return stored.key
    bucket.mark_redriven(stored.key, stored, datetime(2026, 1, 3, tzinfo=UTC))
    return f"redriven/{stored.key.removeprefix('open/')}"


def erase(functions: Functions, *, dry_run: bool = False, **whom: Any) -> Progress:
    """Run the erasure's function until it is done or waits, as its state machine does."""
    progress: Progress = {**whom, "operator": OPERATOR, "dry_run": dry_run}
    while True:
        progress = again(functions, progress)
        if progress["done"] or progress["waits"]:
            return progress


def again(functions: Functions, progress: Mapping[str, Any]) -> Progress:
    """Call the erasure's function once."""
    # A state machine passes JSON on.
    answer: Progress = json.loads(
        json.dumps(functions.invoke("erasure", {"progress": progress, "execution": "execution-1"}))
    )
    return answer


def vaulted() -> list[str]:
    """What is in the vault: the keys of its items, sorted."""
    found = vault_client().scan(TableName=VAULT_TABLE)["Items"]
    return sorted(f"{item['PK']['S']} {item['SK']['S'].partition('#')[0]}" for item in found)


def vault_client() -> Any:
    return aws.dynamodb()


def ledger_keys() -> list[str]:
    """The keys of the ledger's entries."""
    found = buckets().list_objects_v2(Bucket=ERASURE_LEDGER).get("Contents", [])
    return [each["Key"] for each in found]


def ledger() -> dict[str, Any]:
    """The entries of the ledger by their keys."""
    bodies = {key: buckets().get_object(Bucket=ERASURE_LEDGER, Key=key)["Body"] for key in ledger_keys()}
    return {key: json.loads(body.read()) for key, body in bodies.items()}


def dead_letter_keys() -> list[str]:
    found = buckets().list_objects_v2(Bucket=DEAD_LETTER_BUCKET).get("Contents", [])
    return sorted(each["Key"] for each in found)
