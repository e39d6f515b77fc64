"""What follows from events without a saga, as deployed: what runs low comes in again, new customers are welcomed."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from events import streams
from events.integration import OrderSubmitted, StockDelivered
from events.inventory import DeliveredLine, PurchaseOrderFulfilled, PurchaseOrderPlaced
from events.model import DomainEvent, Model
from events.notification import CustomerNotified, EmailClaimed
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline
from infra.local.runner.audit_input import read_table
from infra.names import DEMO_SHOP
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually


def publish(pipeline: Pipeline, event: Model) -> None:
    Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e").publish([event])


def events_of(pipeline: Pipeline, stream: str) -> list[DomainEvent]:
    return [record.event for record in EventStore(pipeline.client("dynamodb"), pipeline.table_name).read(stream)]


def deliver(pipeline: Pipeline, delivery_id: str, sku: str, quantity: int) -> None:
    line = DeliveredLine(sku=sku, quantity=quantity)
    publish(pipeline, StockDelivered(delivery_id=delivery_id, lines=(line,)))


def purchase_orders(pipeline: Pipeline, sku: str) -> list[PurchaseOrderPlaced]:
    events = [record.event for record in read_table(pipeline).log.values()]
    return [event for event in events if isinstance(event, PurchaseOrderPlaced) and event.sku == sku]


def subjects(pipeline: Pipeline, to: str) -> list[str]:
    """The subjects of the e-mails to an address, sorted."""
    with urllib.request.urlopen(f"{pipeline.endpoint}/_ministack/ses/messages") as answer:
        accounts: dict[str, Sequence[Any]] = json.load(answer)["messages"]
    emails = [email for sent in accounts.values() for email in sent]
    return sorted(email["Subject"] for email in emails if to in email["To"])


def is_empty(pipeline: Pipeline, key: str) -> bool:
    """Whether a function has done all that was on its queue."""
    depth = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = pipeline.client("sqs").get_queue_attributes(QueueUrl=pipeline.queue_url(key), AttributeNames=depth)[
        "Attributes"
    ]
    return not any(int(counts[name]) for name in depth)


def test_goods_that_run_low_are_ordered_and_come_in(pipeline: Pipeline) -> None:
    sku = f"low-{uuid4().hex}"
    deliver(pipeline, f"first-{uuid4().hex}", sku, 4)
    [order] = eventually(lambda: purchase_orders(pipeline, sku))
    deliver(pipeline, order.purchase_order_id, sku, order.quantity)

    fulfilled = PurchaseOrderFulfilled(purchase_order_id=order.purchase_order_id)
    eventually(lambda: events_of(pipeline, streams.purchase(order.purchase_order_id)) == [order, fulfilled])
    assert read_table(pipeline).levels[sku]["available"] == 4 + order.quantity == 30
    assert purchase_orders(pipeline, sku) == [order]


def test_a_customer_of_two_orders_is_welcomed_once(pipeline: Pipeline) -> None:
    orders, customer = [f"e2e-{uuid4().hex}" for _ in range(2)], f"e2e-{uuid4().hex}"
    to = f"{customer}@example.com"
    for order_id in orders:
        submitted = {**ORDER, "order_id": order_id, "customer": {"customer_id": customer, "email": to}}
        publish(pipeline, OrderSubmitted.model_validate_json(json.dumps(submitted)))
    confirmed = {f"Your order {order_id} is confirmed" for order_id in orders}
    eventually(lambda: {"Welcome", *confirmed} == set(subjects(pipeline, to)))
    eventually(lambda: is_empty(pipeline, "order_emails"))

    assert subjects(pipeline, to) == sorted(["Welcome", *confirmed])
    claim, welcomed = events_of(pipeline, streams.customer(of_shop(DEMO_SHOP, customer)))
    assert isinstance(claim, EmailClaimed)
    assert isinstance(welcomed, CustomerNotified)
    assert claim.order_id == welcomed.order_id
    assert claim.order_id in {of_shop(DEMO_SHOP, order_id) for order_id in orders}
