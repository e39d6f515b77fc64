"""The HTTP API as a shop and operators meet it: an order placed and followed, and what callers may not do.

What two shops meet: test_shops.
"""

import base64
import codecs
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from events.integration import ShipmentStatusReported
from events.publishing.publisher import Publisher
from events.shops import of_shop
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders.shops import ORDER, Answer, Shop, on_plan_of_its_own
from tests.e2e.conftest import eventually

PROBLEM = "application/problem+json"
CUSTOMER = {"customer_id": "c1", "email": "jo@example.com"}


def followed(shop: Shop, path: str, status: str = "CONFIRMED") -> Answer:
    """The order at ``path``, once it has that status, and the payment of a confirmed one: either may be shown first."""

    def look() -> Answer | None:
        answer = shop.ask("GET", path)
        if answer.status != 200 or answer.json["status"] != status:
            return None
        return answer if status != "CONFIRMED" or answer.json["payment"] == "captured" else None

    return eventually(look)


def placed(shop: Shop, key: str | None = None, **changes: Any) -> str:
    """Place an order; returns the path to it."""
    answer = shop.ask("POST", "/orders", {**ORDER, **changes}, Idempotency_Key=key or str(uuid4()))
    assert answer.status == 202, answer.body
    return str(answer.json["status_url"]).removeprefix("/v1")


def to_operators(path: str) -> str:
    """The path to an order as operators name it."""
    return f"/orders/{of_shop(DEMO_SHOP, path.rpartition('/')[2])}"


def refused(answer: Answer, status: int) -> None:
    assert (answer.status, answer.headers["Content-Type"], answer.json["status"]) == (status, PROBLEM, status)


def test_an_order_is_placed_and_followed_to_its_end(shop: Shop) -> None:
    key = str(uuid4())
    path = placed(shop, key, customer=CUSTOMER)
    assert path == f"/orders/{key}"
    order = followed(shop, path)
    assert order.json | {"order_id": key, "customer_id": "c1", "total": 900, "payment": "captured"} == order.json
    assert shop.ask("GET", path, If_None_Match=order.headers["ETag"]).status == 304
    history = shop.ask("GET", f"{path}/events").json
    events = history["events"]
    assert events[0]["type"] == "OrderPlaced"
    assert {"StockReserved", "PaymentCaptured", "ShipmentArranged", "OrderConfirmed"} <= {e["type"] for e in events}
    assert {each["stream"].partition("#")[2] for each in events} == {key}
    assert (history["person"]["email"], history["person"]["address"]) == (CUSTOMER["email"], ORDER["shipping_address"])
    then = shop.ask("GET", f"{path}?as_of={events[0]['occurred_at']}").json
    assert (then["status"], then["payment"]) == ("PLACED", None)
    for query in ("", "?status=CONFIRMED", "?customer_id=c1", "?customer_id=c1&status=CONFIRMED"):
        assert key in {each["order_id"] for each in shop.ask("GET", f"/orders{query}").json["orders"]}
    assert shop.ask("GET", "/stock/TEA-1").json["available"] < 1000


def test_an_order_sent_twice_with_one_key_is_one_order(shop: Shop) -> None:
    key = str(uuid4())
    assert placed(shop, key) == placed(shop, key) == placed(shop, key.upper())
    assert placed(shop, "k-1") != placed(shop, "k_1")
    shouted = shop.ask("POST", "/orders", ORDER, IDEMPOTENCY_KEY=key)
    assert shouted.json["status_url"].endswith(placed(shop, key))
    followed(shop, f"/orders/{key}")
    events = [event["type"] for event in shop.ask("GET", f"/orders/{key}/events").json["events"]]
    assert (events.count("OrderPlaced"), events.count("OrderRejected")) == (1, 0)


def test_without_a_key_every_order_is_its_own(shop: Shop) -> None:
    first, second = (shop.ask("POST", "/orders", ORDER).json["status_url"].removeprefix("/v1") for _ in range(2))
    assert first != second
    followed(shop, first)
    followed(shop, second)


def test_what_only_intake_finds_wrong_is_told_to_the_caller(shop: Shop) -> None:
    path = placed(shop, lines=[{"sku": "TEA-1", "quantity": 1_000_000, "unit_price": 10**15}])
    assert "total" in followed(shop, path, "REJECTED").json["rejection"]
    history = shop.ask("GET", f"{path}/events").json
    assert ([event["type"] for event in history["events"]], history["person"]) == (["OrderRejected"], None)


def test_an_operator_sees_an_order_by_its_id_with_the_shop(shop: Shop, operator: Shop) -> None:
    path = placed(shop, customer=CUSTOMER)
    followed(shop, path)
    own, full = path.rpartition("/")[2], to_operators(path)
    for question in ("", "/events", "?as_of=2100-01-01T00:00:00Z"):
        assert operator.ask("GET", f"{full}{question}").status == 200
        refused(operator.ask("GET", f"{path}{question}"), 404)
        refused(shop.ask("GET", f"{full}{question}"), 404)
    assert operator.ask("GET", full).json["customer_id"] == of_shop(DEMO_SHOP, "c1")
    listed = operator.ask("GET", "/orders?limit=100").json["orders"]
    assert of_shop(DEMO_SHOP, own) in {each["order_id"] for each in listed}


def who(caller: Shop, path: str) -> dict[str, tuple[str, str | None]]:
    """Who caused each type of event of an order: by which door, and who there."""
    events = caller.ask("GET", f"{path}/events").json["events"]
    return {event["type"]: (event["actor"]["door"], event["actor"]["principal"]) for event in events}


def test_a_history_says_who_did_it(pipeline: Pipeline, shop: Shop, operator: Shop) -> None:
    path, client = placed(shop), pipeline.outputs["ShopClientId"]
    followed(shop, path)
    seen, every = who(shop, path), who(operator, to_operators(path))
    assert (seen["OrderPlaced"], seen["OrderConfirmed"]) == (("http", client), ("saga", None))
    assert every["OrderPlaced"] == ("http", f"{DEMO_SHOP}/{client}")
    assert every["OrderConfirmed"] == ("saga", "ordering_service")


def test_an_order_is_cancelled_and_what_became_of_it_is_told(shop: Shop) -> None:
    path = placed(shop)
    followed(shop, path)
    refused(shop.ask("GET", f"{path}/cancellation"), 404)
    assert shop.ask("POST", f"{path}/cancellation", {"reason": "thought better of it"}).status == 202
    cancelled = followed(shop, path, "CANCELLED").json
    assert (cancelled["payment"], cancelled["stock"], cancelled["shipment"]) == ("refunded", "released", "cancelled")
    became = shop.ask("GET", f"{path}/cancellation").json
    assert became == {"order_id": path.rpartition("/")[2], "status": "cancelled", "reason": "CancellationRequested"}
    assert shop.ask("GET", f"{path}/events").json["person"]["cancellation_reason"] == "thought better of it"


def test_an_operator_places_no_orders(operator: Shop) -> None:
    refused(operator.ask("POST", "/orders", ORDER), 403)


def test_an_operator_cancels_anybodys_order_and_a_dispatched_one_is_not_cancelled(
    pipeline: Pipeline, shop: Shop, operator: Shop
) -> None:
    path, dispatched = placed(shop), placed(shop)
    followed(shop, path)
    followed(shop, dispatched)
    report = ShipmentStatusReported(order_id=to_operators(dispatched).rpartition("/")[2], status="dispatched")
    Publisher(pipeline.client("events"), pipeline.intake_bus, "carrier").publish([report])
    eventually(lambda: shop.ask("GET", dispatched).json["shipment"] == "dispatched")

    for each in (path, dispatched):
        assert operator.ask("POST", f"{to_operators(each)}/cancellation", {}).status == 202
    followed(shop, path, "CANCELLED")
    eventually(lambda: shop.ask("GET", dispatched).json["cancellation"] == "refused")
    assert shop.ask("GET", dispatched).json["status"] == "CONFIRMED"
    assert shop.ask("GET", f"{dispatched}/cancellation").json["status"] == "refused"


@pytest.mark.parametrize(
    "body",
    [
        {**ORDER, "email": "jo@example.com"},
        {**ORDER, "customer": {"customer_id": "other.c1"}},
        {**ORDER, "order_id": "somebody-elses"},
        {**ORDER, "lines": []},
        {**ORDER, "currency": "XXZ"},
        {name: value for name, value in ORDER.items() if name != "payment_token"},
        {**ORDER, "lines": [{"sku": "TEA-1", "quantity": 1.0, "unit_price": 450}]},
        codecs.BOM_UTF8 + json.dumps(ORDER).encode(),
        b"[",
        b"",
    ],
)
def test_a_body_that_does_not_fit_is_refused_at_once(shop: Shop, body: Any) -> None:
    refused(shop.ask("POST", "/orders", body), 400)


def test_a_body_may_hold_whatever_json_may_and_is_at_most_1_mib(shop: Shop) -> None:
    address = {**ORDER["shipping_address"], "name": "Jo \ufffe\uffff \U0001ffff"}
    text = json.dumps({**ORDER, "shipping_address": address}, ensure_ascii=False).encode()
    taken = shop.ask("POST", "/orders", text + b" " * 1_000_000)
    path = taken.json["status_url"].removeprefix("/v1")
    followed(shop, path)
    assert shop.ask("GET", f"{path}/events").json["person"]["address"] == address
    refused(shop.ask("POST", "/orders", text + b" " * 1_100_000), 413)


@pytest.mark.parametrize("key", [" ", "with space", "x" * 48, "é", "demo.o1"])
def test_a_key_that_cannot_be_part_of_an_id_is_refused(shop: Shop, key: str) -> None:
    refused(shop.ask("POST", "/orders", ORDER, Idempotency_Key=key.encode().decode("latin-1")), 400)


def test_trouble_between_gateway_and_queue_is_not_the_callers_error(pipeline: Pipeline, shop: Shop) -> None:
    sqs, queue = pipeline.client("sqs"), pipeline.queue_url("order_intake")
    before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": before["QueueArn"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    try:
        refused(shop.ask("POST", "/orders", ORDER), 503)
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": before["Policy"]})
    placed(shop)


def test_other_media_are_refused(shop: Shop) -> None:
    refused(shop.ask("POST", "/orders", ORDER, Content_Type="application/xml"), 415)


def test_a_token_must_be_genuine(shop: Shop) -> None:
    header, claims, signature = shop.token.split(".")
    forged = _encoded({**_decoded(claims), "client_id": "somebody-else"})
    none = _encoded({**_decoded(header), "alg": "none"})
    for bad in ("", "no-token", f"{header}.{forged}.{signature}", f"{none}.{claims}."):
        refused(shop.ask("GET", "/orders", Authorization=bad and f"Bearer {bad}"), 401)


def test_a_token_without_the_scope_is_not_enough(pipeline: Pipeline, shop: Shop) -> None:
    reader = Shop.of(pipeline, "Shop", "orders/read")
    writer = Shop.of(pipeline, "Shop", "orders/write")
    assert reader.ask("GET", "/orders").status == 200
    refused(reader.ask("POST", "/orders", ORDER), 403)
    refused(reader.ask("POST", "/orders/o1/cancellation", {}), 403)
    refused(writer.ask("GET", "/orders"), 403)


def test_a_shop_needs_no_key_of_a_plan_and_cannot_name_another(pipeline: Pipeline, shop: Shop) -> None:
    """Its token says on whose plan it counts; whoever asks too much can still order."""
    path = placed(shop)
    operators = pipeline.client("apigateway").get_api_key(
        apiKey=pipeline.outputs["OperatorsApiKeyId"], includeValue=True
    )["value"]
    for key in ("", "none", operators):
        assert shop.ask("GET", "/orders", x_api_key=key).status == 200
    with on_plan_of_its_own(pipeline, DEMO_SHOP, {"/orders/{order_id}/GET": {"rateLimit": 0, "burstLimit": 0}}):
        for key in ("", "none", operators):
            refused(shop.ask("GET", path, x_api_key=key), 429)
        assert shop.ask("GET", "/orders").status == 200
        placed(shop)
    followed(shop, path)


def test_a_browser_is_shown_the_document(shop: Shop) -> None:
    page = shop.ask("GET", "/docs", Authorization="")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert shop.ask("GET", "/docs/start.js", Authorization="").status == 200


def test_documents_have_a_limit_that_orders_do_not_share(shop: Shop) -> None:
    with ThreadPoolExecutor(8) as browsers:
        answers = list(browsers.map(lambda _: shop.ask("GET", "/docs/start.js"), range(60)))
    assert Counter(answer.status for answer in answers).keys() == {200, 429}
    placed(shop)


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/orders", 200),
        ("GET", "/orders/unknown", 404),
        ("GET", "/orders/unknown/cancellation", 404),
        ("POST", "/orders", 202),
        ("POST", "/orders/o.1.1/cancellation", 400),
        ("DELETE", "/orders", 405),
        ("TRACE", "/orders/unknown", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/openapi.json", 200),
    ],
)
def test_every_answer_says_what_may_be_done_with_it(shop: Shop, verb: str, path: str, status: int) -> None:
    body = {} if path.endswith("cancellation") else ORDER
    answer = shop.ask(verb, path, body if verb == "POST" else None)
    assert answer.status == status
    caching = "public, max-age=3600" if path == "/openapi.json" else "private, no-store"
    assert answer.headers["Cache-Control"] == caching
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers.get("Allow") == ({"/orders": "GET, POST"}.get(path, "GET") if status == 405 else None)


def _decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def _encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
