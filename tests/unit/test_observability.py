"""What can be seen from outside: log lines by order, metrics, traces, and no customer data in any of them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from events import streams
from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.functions.main import delivery_intake as delivery_intake_function
from handlers.functions.main import inventory_service as inventory
from handlers.functions.main import order_emails as order_emails_function
from handlers.functions.main import order_intake, stock_watch
from handlers.functions.main import order_view as order_view_function
from handlers.functions.main import ordering_service as ordering
from handlers.functions.main import outbox as outbox_function
from handlers.functions.main import payments_service as payments
from handlers.functions.main import shipment_intake as shipment_intake_function
from handlers.functions.main import shipping_service as shipping
from handlers.functions.resources import dead_letter_queue
from handlers.notification.email_sending import Mailer
from handlers.notification.order_emails import notify
from handlers.runtime import aws
from handlers.runtime.observability import logger
from handlers.runtime.subscriber import subscriber
from handlers.table.event_store import EventStore
from handlers.vault.vault import Vault
from tests.builders.dead_letter_queue import dead_letters, queue
from tests.builders.environment import CONFIGURATION_SET, ENVIRONMENT, QUEUE_URL, SENDER
from tests.builders.messages import CONTEXT, from_bus, from_publisher, inserted, sqs
from tests.builders.orders import EMAIL, STREET, TOKEN, line, order, to
from tests.builders.recorded_events import record
from tests.builders.stores import append, items, log, place
from tests.builders.vault import vault
from tests.builders.xray_daemon import xray_daemon

ROOT = Path(__file__).parents[2]
CUSTOMER_DATA = (EMAIL, STREET, TOKEN, "Ada Lovelace")

Lines = Callable[[], list[dict[str, Any]]]
Metrics = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """The log lines so far."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return lambda: [json.loads(each) for each in stream.getvalue().splitlines()]


@pytest.fixture
def metrics(store: EventStore, capsys: pytest.CaptureFixture[str]) -> Metrics:
    """The metrics printed since last asked, in CloudWatch's embedded format."""

    def printed() -> list[dict[str, Any]]:
        out = capsys.readouterr().out.splitlines()
        return [json.loads(each) for each in out if '"_aws"' in each]

    return printed


def values(printed: list[dict[str, Any]], name: str) -> list[float]:
    return [value for each in printed for value in each.get(name, [])]


def command(service: Any, name: str, order_id: str = "demo.o1", **more: str) -> None:
    service.handler({"command": name, "order_id": order_id, **more}, CONTEXT)


# Logs


def test_the_order_id_is_the_correlation_id(lines: Lines) -> None:
    order_intake.handler(sqs(from_publisher(order("o1", line(quantity=0)))), CONTEXT)
    [rejected] = [each for each in lines() if each["message"] == "order rejected"]
    assert rejected["correlation_id"] == "demo.o1"
    assert rejected["service"] == "unit"
    assert rejected["function_request_id"] == "request-1"


def test_of_the_commands_of_the_saga_those_that_are_refused_are_logged_with_their_order(
    store: EventStore, lines: Lines
) -> None:
    place(store, "demo.o1", line("A", 1))
    with pytest.raises(Exception, match="not enough of A"):
        command(inventory, "reserve_stock")
    command(ordering, "start_cancellation", refusal="OutOfStock")
    [refused] = lines()
    assert (refused["message"], refused["refusal"]) == ("command refused", "OutOfStock")
    assert refused["correlation_id"] == "demo.o1"
    assert datetime.fromisoformat(refused["timestamp"]).tzinfo


def test_a_line_about_one_message_does_not_bear_the_order_of_another(lines: Lines) -> None:
    bad = order("o1", line(quantity=0))
    asked = from_publisher({"order_id": "o2"}, "OrderCancellationRequested")
    order_intake.handler(sqs(from_publisher(bad), "not JSON", asked, "not JSON"), CONTEXT)
    assert [(each["message"], each.get("correlation_id")) for each in lines()] == [
        ("order rejected", "demo.o1"),
        ("sent to the dead-letter queue", None),
        ("message failed, will be delivered again", "demo.o2"),
        ("sent to the dead-letter queue", None),
    ]


def test_a_view_that_is_behind_is_logged_with_its_order(lines: Lines) -> None:
    behind = [record(OrderConfirmed(order_id=f"demo.o{n}"), streams.order(f"demo.o{n}"), 2 + n) for n in (1, 2)]
    order_view_function.handler(sqs(from_bus(behind[0]), "not JSON", from_bus(behind[1])), CONTEXT)
    failed = [each for each in lines() if each["message"] == "message failed, will be delivered again"]
    assert [(each["message_id"], each.get("correlation_id")) for each in failed] == [
        ("m0", "demo.o1"),
        ("m1", None),
        ("m2", "demo.o2"),
    ]


def with_mail(
    notify: Callable[[EventStore, Vault, Mailer, Recorded], None], mail: Any
) -> Callable[[EventStore, Recorded], None]:
    mailer = Mailer(mail, SENDER, CONFIGURATION_SET)
    return lambda store, record: notify(store, vault(store), mailer, record)


def test_no_line_holds_customer_data(
    store: EventStore, lines: Lines, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders that go well, that are refused at each step, that are invalid; an SES that tells the address."""
    stock = {"delivery_id": "d1", "lines": [{"sku": "A", "quantity": 9}]}
    delivery_intake_function.handler(sqs(from_publisher(stock, "StockDelivered")), CONTEXT)
    submitted = [
        order("o1"),
        order("o2", line(quantity=0), customer={"customer_id": EMAIL, "email": EMAIL}),
        order("o3", customer={"customer_id": "c1", "email": f"{EMAIL} and more"}, payment_token=[TOKEN]),
        order("o4", line("B")),
        order("o5", shipping_address=to("SBX-REJECT")),
        order("o6", shipping_address=STREET),
        order(EMAIL),
    ]
    order_intake.handler(sqs(*map(from_publisher, submitted)), CONTEXT)
    for order_id in ("demo.o1", "demo.o4", "demo.o5"):
        for service, name in [
            (inventory, "reserve_stock"),
            (payments, "authorize_payment"),
            (shipping, "arrange_shipment"),
            (payments, "capture_payment"),
            (ordering, "confirm_order"),
        ]:
            try:
                command(service, name, order_id)
            except Exception as refusal:
                command(ordering, "start_cancellation", order_id, refusal=type(refusal).__name__)
                break
    events = [each for each in log(store) if each.stream.startswith("order#")]
    messages = [from_bus(each) for each in events]
    order_view_function.handler(sqs(*messages, *[each.replace('"GBP"', f'"{EMAIL}"') for each in messages]), CONTEXT)

    def telling(**_: Any) -> None:
        said = f"Email address is not verified: {EMAIL}"
        answered: Any = {
            "Error": {"Code": "MessageRejected", "Message": said},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
        raise ClientError(answered, "SendEmail")

    mail = aws.ses()
    monkeypatch.setattr(mail, "send_email", telling)
    confirmed = [from_bus(each) for each in events if isinstance(each.event, OrderConfirmed)]
    subscriber(with_mail(notify, mail), store, dead_letter_queue())(sqs(*confirmed), CONTEXT)

    # An event that today's models cannot read: a bug, whose traceback is logged.
    damaged = next(item for item in items(store, "order#demo.o1") if item["type"]["S"] == "OrderPlaced")
    damaged["data"]["S"] = damaged["data"]["S"].replace('"GBP"', '"XXX"')
    store.client.put_item(TableName=store.table, Item=damaged)
    order_emails_function.handler(sqs(*confirmed), CONTEXT)
    with pytest.raises(ValueError, match="OrderPlaced"):
        command(inventory, "reserve_stock")

    logged = json.dumps(lines(), ensure_ascii=False)
    for expected in ("MessageRejected", "not an ISO 4217", "order rejected", "sent to the dead-letter queue"):
        assert expected in logged
    printed = logged + capsys.readouterr().out
    assert [secret for secret in CUSTOMER_DATA if secret in printed] == []


GOOD = order("o1", line(description=f"for {EMAIL}"))
ANOTHER = {EMAIL: STREET}
"""A field of no model, whose very name is personal."""
NO_ENVELOPE = {"id": "e1", "detail": GOOD}
ADDRESS, CUSTOMER = GOOD["shipping_address"], GOOD["customer"]
TELLING: dict[str, tuple[list[str], str]] = {
    "a valid submission": ([from_publisher(GOOD)], "OrderPlaced"),
    "the same again, and another one under its id": (
        [from_publisher(GOOD), from_publisher(GOOD), from_publisher({**GOOD, "payment_token": f"{TOKEN}-2"})],
        "an order with this id and other content was placed before",
    ),
    "values that are wrong": (
        [
            from_publisher(
                order(
                    customer={"customer_id": EMAIL, "email": STREET},
                    shipping_address={**ADDRESS, "country": STREET, "postal_code": 33 * EMAIL},
                    payment_token=[TOKEN],
                    currency=EMAIL,
                )
            )
        ],
        '"field": "shipping_address.country"',
    ),
    "a person in place of an address": (
        [from_publisher(order(shipping_address=STREET))],
        '"field": "shipping_address"',
    ),
    "an id that is an e-mail address": ([from_publisher(order(EMAIL))], "order_id: String should match pattern"),
    "unknown fields": (
        [from_publisher({**GOOD, **ANOTHER, "shipping_address": {**ADDRESS, **ANOTHER}, "gift_note": EMAIL})],
        '"field": "shipping_address.?"',
    ),
    "unknown fields of lines and of the customer": (
        [from_publisher(order("o1", line() | ANOTHER, customer=CUSTOMER | ANOTHER))],
        '"field": "lines.0.?"',
    ),
    "unknown fields of an order without an id": (
        [from_publisher({**order(None), **ANOTHER})],
        "?: Extra inputs are not permitted",
    ),
    "a submission that is too large": (
        [from_publisher(order("o1", *[line(description=f"{EMAIL} {250 * 'x'}"[:256])] * 700))],
        "bytes of canonical JSON",
    ),
    "a submission that is no object": ([from_publisher(EMAIL)], "Input should be"),
    "a cancellation with the customer's words": (
        [from_publisher(GOOD), from_publisher({"order_id": "o1", "reason": EMAIL}, "OrderCancellationRequested")],
        "OrderCancellationStarted",
    ),
    "a cancellation with unknown fields": (
        [from_publisher({"order_id": "o1", "reason": [EMAIL], **ANOTHER}, "OrderCancellationRequested")],
        "?: Extra inputs are not permitted",
    ),
    "a cancellation that comes before its order": (
        [from_publisher({"order_id": "o1", "reason": EMAIL}, "OrderCancellationRequested")],
        "there is no order 'demo.o1' to cancel",
    ),
    "no JSON": ([f"{json.dumps(GOOD)[:-1]}, {EMAIL}"], "not readable as JSON"),
    "a message that is none": ([json.dumps([EMAIL])], "Input should be a valid dictionary"),
    "a message of no type": ([json.dumps(NO_ENVELOPE)], "detail-type: Field required"),
    "a message of an unknown type": ([json.dumps({**NO_ENVELOPE, "detail-type": EMAIL})], "'?' is not known here"),
    "a caller with more than a caller has": (
        [json.dumps({**NO_ENVELOPE, "detail-type": "OrderSubmitted", "caller": {"subject": [EMAIL], **ANOTHER}})],
        "caller.?: Extra inputs are not permitted",
    ),
}


@pytest.mark.parametrize("case", TELLING)
def test_what_intake_was_sent_is_in_the_vault_or_nowhere(
    store: EventStore, lines: Lines, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """Not in a log line, a metric, an event, or the reason of a dead letter, however often it is delivered."""
    bodies, expected = TELLING[case]
    for body in bodies:
        order_intake.handler(sqs(body), CONTEXT)
    order_intake.handler(sqs(bodies[-1], receives=MAX_RECEIVE_COUNT), CONTEXT)
    reasons = [sent["MessageAttributes"] for sent in dead_letters()]
    seen = json.dumps([lines(), items(store), reasons], ensure_ascii=False) + capsys.readouterr().out
    assert expected in seen
    assert [secret for secret in CUSTOMER_DATA if secret in seen] == []


@pytest.mark.parametrize("case", TELLING)
def test_what_intake_was_sent_is_not_logged_where_it_cannot_be_dead_lettered(lines: Lines, case: str) -> None:
    """The error has others behind it then, down to the one that says what was wrong with the message."""
    queue().delete_queue(QueueUrl=QUEUE_URL)
    order_intake.handler(sqs(*TELLING[case][0]), CONTEXT)
    logged = json.dumps(lines(), ensure_ascii=False)
    assert [secret for secret in CUSTOMER_DATA if secret in logged] == []


@pytest.mark.parametrize(
    ("intake", "detail_type"),
    [(delivery_intake_function, "StockDelivered"), (shipment_intake_function, "ShipmentStatusReported")],
)
def test_what_partners_send_is_not_logged_either(
    store: EventStore, lines: Lines, intake: Any, detail_type: str
) -> None:
    intake.handler(sqs(from_publisher(ANOTHER, detail_type)), CONTEXT)
    assert "?: Extra inputs are not permitted" in dead_letters()[0]["MessageAttributes"]["reasons"]["StringValue"]
    queue().delete_queue(QueueUrl=QUEUE_URL)
    intake.handler(sqs(from_publisher(ANOTHER, detail_type)), CONTEXT)
    logged = json.dumps(lines(), ensure_ascii=False)
    assert "message failed, will be delivered again" in logged
    assert [secret for secret in CUSTOMER_DATA if secret in logged] == []


# Metrics


def test_orders_are_counted_once(metrics: Metrics) -> None:
    for _ in range(2):
        order_intake.handler(sqs(from_publisher(order("o1")), from_publisher(order("o2", line(quantity=0)))), CONTEXT)
    printed = metrics()
    assert values(printed, "OrdersPlaced") == [1.0]
    assert values(printed, "OrdersRejected") == [1.0]
    assert printed[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "OrderPipeline"


def test_senders_who_are_not_let_in_are_counted(metrics: Metrics) -> None:
    unknown = {"id": "e1", "detail-type": "OrderSubmitted", "folder": "nobodys", "detail": order("o1")}
    order_intake.handler(sqs(json.dumps(unknown), from_publisher(order("o2"))), CONTEXT)
    printed = metrics()
    assert values(printed, "SendersRefused") == [1.0]
    assert values(printed, "OrdersPlaced") == [1.0]


def test_outcomes_are_counted_with_the_reason_of_a_cancellation(store: EventStore, metrics: Metrics) -> None:
    place(store, "demo.o1")
    place(store, "demo.o2")
    command(ordering, "confirm_order", "demo.o1")
    assert values(metrics(), "OrdersConfirmed") == [1.0]
    command(ordering, "start_cancellation", "demo.o2", refusal="OutOfStock")
    command(ordering, "cancel_order", "demo.o2")
    [printed] = metrics()
    assert printed["OrdersCancelled"] == [1.0]
    assert printed["reason"] == "OutOfStock"
    assert ["reason", "service"] in printed["_aws"]["CloudWatchMetrics"][0]["Dimensions"]


def test_compensations_are_counted_by_step(store: EventStore, metrics: Metrics) -> None:
    place(store)
    command(ordering, "start_cancellation", refusal="OutOfStock")
    for service, step in [(shipping, "cancel_shipment"), (payments, "refund_payment"), (inventory, "release_stock")]:
        command(service, step)
    assert [(each["step"], each["Compensations"]) for each in metrics()] == [
        ("cancel_shipment", [1.0]),
        ("refund_payment", [1.0]),
        ("release_stock", [1.0]),
    ]


def test_lags_are_measured_in_milliseconds(store: EventStore, metrics: Metrics) -> None:
    place(store)
    aws.eventbridge().create_event_bus(Name="orders")
    outbox_function.handler({"Records": [inserted(item) for item in items(store, "order#")]}, CONTEXT)
    order_view_function.handler(sqs(*map(from_bus, log(store))), CONTEXT)
    printed = metrics()
    for name in ("OutboxLag", "ProjectionLag"):
        [milliseconds] = values(printed, name)
        assert 0 < milliseconds < 60_000
    units = [metric for each in printed for metric in each["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert {"Name": "OutboxLag", "Unit": "Milliseconds"} in units


def test_a_function_that_fails_still_tells_its_metrics(store: EventStore, metrics: Metrics) -> None:
    place(store)
    missing = [inserted(item) for item in items(store)]
    with pytest.raises(ClientError):
        outbox_function.handler({"Records": missing}, CONTEXT)
    assert len(values(metrics(), "OutboxLag")) == 1


def test_low_stock_is_logged(store: EventStore, lines: Lines) -> None:
    numbers = {"available": "9", "previous": "10", "threshold": "10", "version": "2"}
    level = {"PK": {"S": "level#A"}, "SK": {"S": "level"}} | {name: {"N": n} for name, n in numbers.items()}
    stock_watch.handler({"Records": [inserted(level)]}, CONTEXT)
    assert [(each["message"], each["sku"]) for each in lines()] == [("stock is low", "A")]


# Traces

TRACED = """
import os, sys
from moto import mock_aws
from tests.builders.tables import create_table, create_vault

with mock_aws():
    from handlers.runtime import aws
    create_table(aws.dynamodb(), os.environ["TABLE_NAME"])
    create_vault(aws.dynamodb(), os.environ["VAULT_TABLE_NAME"])
    from handlers.functions.main import order_intake
    from tests.builders.messages import CONTEXT, from_publisher, sqs
    from tests.builders.orders import order

    order_intake.handler(sqs(from_publisher(order("o1")), from_publisher(order("o2"))), CONTEXT)
print("aws_xray_sdk" in sys.modules)
"""


@pytest.mark.parametrize("sampled", [True, False])
def test_an_invocation_that_is_sampled_is_traced_by_order(*, sampled: bool) -> None:
    """The X-Ray SDK takes longer to load than all the rest: where nothing is sampled it is not even imported."""
    with xray_daemon() as daemon:
        done = subprocess.run(
            [sys.executable, "-c", TRACED],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **daemon.environment(sampled=sampled), "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        orders = {segment.get("annotations", {}).get("order_id") for segment in daemon.segments()}
    assert done.stdout.splitlines()[-1] == str(sampled)
    assert orders - {None} == ({"demo.o1", "demo.o2"} if sampled else set())


def test_what_went_wrong_names_the_order_in_a_line_of_its_own(store: EventStore, lines: Lines) -> None:
    append(store, "order#demo.o1", OrderCancelled(order_id="demo.o1", reason="x"))
    with pytest.raises(AssertionError):
        command(payments, "authorize_payment")
    assert [(each["correlation_id"], each["refusal"]) for each in lines()] == [("demo.o1", "AssertionError")]
