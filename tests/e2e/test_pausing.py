"""The intake is paused while orders come in: they wait, none is lost, and none becomes a dead-letter message."""

from __future__ import annotations

import json
from uuid import uuid4

from events import streams
from events.integration import OrderSubmitted, StockDelivered
from events.inventory import DeliveredLine
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually
from tests.e2e.test_cli import printed
from tests.e2e.test_dead_letters import operator

ORDERS = 25


def test_orders_wait_while_the_intake_is_paused_and_are_all_processed_afterwards(pipeline: Pipeline) -> None:
    def of_intake() -> list[str]:
        return next(cells for name, *cells in printed(pipeline, "status") if name == "order_intake")

    store = EventStore(pipeline.client("dynamodb"), pipeline.table_name)
    dead_letters = DeadLetterBucket(pipeline.client("s3"), pipeline.outputs["DeadLetterBucketName"])
    publisher = Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e")
    order_ids = [f"paused-{uuid4().hex[:20]}" for _ in range(ORDERS)]
    orders = [OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": each})) for each in order_ids]
    of_orders = [streams.order(of_shop(DEMO_SHOP, each)) for each in order_ids]
    delivery = f"meanwhile-{uuid4().hex[:20]}"

    try:
        assert printed(pipeline, "pause", "order_intake") == [
            ["paused order_intake: its messages wait, for 14 days at most"]
        ]
        publisher.publish(orders)
        publisher.publish([StockDelivered(delivery_id=delivery, lines=(DeliveredLine(sku="PAUSED-1", quantity=1),))])
        # Messages of earlier tests may be in the queue, too, until they are delivered again.
        eventually(lambda: int(of_intake()[0]) >= ORDERS)
        eventually(lambda: list(store.read(streams.delivery(delivery))))
        *_, paused = of_intake()
        assert paused.startswith("paused since 20")
        assert paused.endswith(f"by {operator(pipeline)}")
        assert not any(list(store.read(stream)) for stream in of_orders)
    finally:
        [[ended]] = printed(pipeline, "unpause", "order_intake")
    assert ended.startswith("unpaused order_intake: it was paused since 20")

    for order_id in order_ids:
        assert printed(pipeline, "status", order_id, "--watch")[-1][0].startswith("CONFIRMED")
    assert of_intake()[-1] == ""
    letters = dead_letters.read_all(dead_letters.open_keys(source="order_intake"))
    assert not [key for key, letter in letters if any(each in letter.body for each in order_ids)]
