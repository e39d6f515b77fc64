"""Orders that checks place, of one SKU that is theirs. An order stays: the log is only added to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from events.integration import OrderSubmitted, StockDelivered
from events.inventory import DeliveredLine
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.files.dropped_file import INCOMING
from handlers.table import keys
from tests.acceptance.check import Wrong
from tests.acceptance.environment import Environment
from tests.acceptance.watch import Watch
from tests.builders.shops import ORDER, Shop

SKU = "ACCEPTANCE"
_PIECES = 100
CONTENT: Mapping[str, Any] = {**ORDER, "lines": [{"sku": SKU, "quantity": 1, "unit_price": 450}]}
"""What is ordered, by a guest without an address for e-mails."""


def stock(environment: Environment, watch: Watch) -> None:
    """Receive goods, so that orders can be confirmed."""
    line = DeliveredLine(sku=SKU, quantity=_PIECES)
    _publisher(environment, environment.warehouse_source).publish([StockDelivered(delivery_id=new_id(), lines=(line,))])
    dynamodb, table, key = environment.client("dynamodb"), environment.outputs["TableName"], keys.level(SKU).attributes
    watch.until(
        lambda: int(dynamodb.get_item(TableName=table, Key=key).get("Item", {}).get("available", {"N": "0"})["N"]) > 0,
        f"{SKU} in stock",
    )


def new_id() -> str:
    """An id that nothing else has."""
    return f"acceptance-{uuid4().hex}"


def by_bus(environment: Environment) -> str:
    """Publish an order on the intake bus; returns its id."""
    own_id = new_id()
    order = OrderSubmitted.model_validate_json(json.dumps({**CONTENT, "order_id": own_id}))
    _publisher(environment, environment.shop_source).publish([order])
    return of_shop(environment.shop, own_id)


def by_http(environment: Environment, shop: Shop) -> str:
    """Place an order over HTTP; returns its id.

    Raises:
        Wrong: it was not taken.
    """
    own_id = new_id()
    answer = shop.ask("POST", "/orders", CONTENT, Idempotency_Key=own_id)
    if answer.status != 202:
        raise Wrong(f"an order over HTTP was answered with {answer.status}: {answer.body.decode()}")
    return of_shop(environment.shop, own_id)


def by_file(environment: Environment) -> str:
    """Drop a file with an order; returns the order's id."""
    own_id = new_id()
    environment.client("s3").put_object(
        Bucket=environment.outputs["FilesBucketName"],
        Key=f"{INCOMING}{environment.shop_folder}/{own_id}.ndjson",
        Body=json.dumps({**CONTENT, "order_id": own_id}).encode(),
    )
    return of_shop(environment.shop, own_id)


def confirmed(environment: Environment, watch: Watch, order_id: str) -> None:
    """Wait until the view of an order shows that it is confirmed."""
    watch.until(partial(_is_confirmed, environment, order_id), f"{order_id} confirmed")


def _is_confirmed(environment: Environment, order_id: str) -> bool:
    view = environment.orders.order(order_id)
    return view is not None and view["status"] == "CONFIRMED"


def _publisher(environment: Environment, source: str) -> Publisher:
    return Publisher(environment.client("events"), environment.outputs["IntakeBusName"], source)
