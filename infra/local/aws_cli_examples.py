"""A first order by hand, on the pipeline that is up: stock for it, and lines to paste for the AWS CLI."""

import json
import time
from collections.abc import Iterator
from shlex import quote

from events import streams
from events.integration import StockDelivered
from events.inventory import DeliveredLine
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.table import keys
from handlers.table.codec import encode
from infra.local.emulator.process import ACCOUNT, REGION
from infra.local.pipeline import Pipeline
from infra.local.runner.order_run import NotStocked
from infra.local.runner.stock_deliveries import ORDER_SUBMITTED, SOURCE
from infra.names import DEMO_SHOP

GOODS = {"TEA-1": 1000, "MUG-1": 1000}
_DELIVERY = StockDelivered(
    delivery_id="first", lines=tuple(DeliveredLine(sku=sku, quantity=quantity) for sku, quantity in GOODS.items())
)
_OWN_ID = "by-hand-1"
_ORDER = {
    "order_id": _OWN_ID,
    "currency": "GBP",
    "lines": [
        {"sku": "TEA-1", "quantity": 2, "unit_price": 450, "description": "Tea"},
        {"sku": "MUG-1", "quantity": 1, "unit_price": 899, "description": "Mug"},
    ],
    "customer": {"customer_id": "customer-1", "email": "customer-1@example.com"},
    "shipping_address": {
        "name": "A. Customer",
        "street": "1 High St",
        "city": "Leeds",
        "postal_code": "LS1",
        "country": "GB",
    },
    "payment_token": "tok_approve",
}
_STOCKED_WITHIN = 60.0


def stock_warehouse(pipeline: Pipeline) -> None:
    """Receive goods, so that an order can be confirmed.

    Raises:
        NotStocked: they are not in stock within a minute.
    """
    Publisher(pipeline.client("events"), pipeline.intake_bus, SOURCE).publish([_DELIVERY])
    dynamodb = pipeline.client("dynamodb")
    deadline = time.monotonic() + _STOCKED_WITHIN
    for sku in GOODS:
        key = keys.level(sku).attributes
        while "Item" not in dynamodb.get_item(TableName=pipeline.table_name, Key=key):
            if time.monotonic() > deadline:
                raise NotStocked(f"{sku} is not in stock after {_STOCKED_WITHIN:.0f} s")
            time.sleep(0.1)


def lines_to_paste(pipeline: Pipeline) -> Iterator[str]:
    """Lines to paste into a shell that has the AWS CLI, from an order to its view; comments say what each does."""
    machine = pipeline.state_machine_arn
    entry = {
        "EventBusName": pipeline.intake_bus,
        "Source": "by.hand",
        "DetailType": ORDER_SUBMITTED,
        "Detail": json.dumps(_ORDER),
    }
    order_id = of_shop(DEMO_SHOP, _OWN_ID)
    view = encode({":order": f"{keys.ORDER_VIEWS}{order_id}"})
    log = encode({":order": streams.order(order_id)})
    by_key = "--key-condition-expression 'PK = :order' --expression-attribute-values"
    yield f"export AWS_ENDPOINT_URL={pipeline.endpoint} AWS_DEFAULT_REGION={REGION}"
    yield f"export AWS_ACCESS_KEY_ID={ACCOUNT} AWS_SECRET_ACCESS_KEY={ACCOUNT}"
    yield ""
    yield "# submit an order"
    yield f"aws events put-events --entries {quote(json.dumps([entry]))}"
    yield "# read its view, some seconds later, and its stream in the log"
    yield f"aws dynamodb query --table-name {pipeline.table_name} {by_key} {quote(json.dumps(view))}"
    yield f"aws dynamodb query --table-name {pipeline.table_name} {by_key} {quote(json.dumps(log))}"
    yield "# the express lane took it; run the saga for it once more: it finds the order ended, and changes nothing"
    order = json.dumps({"order_id": order_id})
    yield f"execution=$(aws stepfunctions start-execution --state-machine-arn {machine} \\"
    yield f"  --input {quote(order)} --query executionArn --output text)"
    yield 'aws stepfunctions get-execution-history --execution-arn "$execution"'
