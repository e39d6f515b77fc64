"""The HTTP API as its callers meet it: an order placed and followed, and what callers may not do."""

import base64
import codecs
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from events.integration import ShipmentStatusReported
from events.publishing.publisher import Publisher
from infra.local.pipeline import Pipeline
from infra.local.runner.audit_input import read_dead_letters
from tests.builders.shops import ORDER, Answer, Shop, new_key, token
from tests.e2e.conftest import eventually

PROBLEM = "application/problem+json"


def followed(shop: Shop, path: str, status: str = "CONFIRMED") -> Answer:
    """The order at ``path``, once it has that status."""

    def look() -> Answer | None:
        answer = shop.ask("GET", path)
        return answer if answer.status == 200 and answer.json["status"] == status else None

    return eventually(look)


def placed(shop: Shop, key: str | None = None, **changes: Any) -> str:
    """Place an order; returns the path to it."""
    answer = shop.ask("POST", "/orders", {**ORDER, **changes}, Idempotency_Key=key or str(uuid4()))
    assert answer.status == 202, answer.body
    return str(answer.json["status_url"]).removeprefix("/v1")


def refused(answer: Answer, status: int) -> None:
    assert (answer.status, answer.headers["Content-Type"], answer.json["status"]) == (status, PROBLEM, status)


def test_an_order_is_placed_and_followed_to_its_end(shop: Shop) -> None:
    path = placed(shop)
    order = followed(shop, path)
    assert order.json | {"customer_id": shop.customer_id, "total": 900, "payment": "captured"} == order.json
    assert shop.ask("GET", path, If_None_Match=order.headers["ETag"]).status == 304
    history = shop.ask("GET", f"{path}/events").json["events"]
    assert history[0]["type"] == "OrderPlaced"
    assert {"StockReserved", "PaymentCaptured", "ShipmentArranged", "OrderConfirmed"} <= {e["type"] for e in history}
    then = shop.ask("GET", f"{path}?as_of={history[0]['occurred_at']}").json
    assert (then["status"], then["payment"]) == ("PLACED", None)
    assert path.rpartition("/")[2] in {each["order_id"] for each in shop.ask("GET", "/orders").json["orders"]}
    assert shop.ask("GET", "/stock/TEA-1").json["available"] < 1000


def dead_letters(pipeline: Pipeline) -> list[str]:
    """The reasons of order intake's dead letters so far."""
    return [letter.reasons for letter in read_dead_letters(pipeline).values() if letter.source == "order_intake"]


def test_an_order_sent_twice_with_one_key_is_one_order(shop: Shop, stranger: Shop) -> None:
    key = str(uuid4())
    assert placed(shop, key) == placed(shop, key) == placed(shop, key.upper()) != placed(stranger, key)
    assert placed(shop, "k-1") != placed(shop, "k_1")
    shouted = shop.ask("POST", "/orders", ORDER, IDEMPOTENCY_KEY=key)
    assert shouted.json["status_url"].endswith(placed(shop, key))


def test_without_a_key_every_order_is_its_own(shop: Shop) -> None:
    first, second = (shop.ask("POST", "/orders", ORDER).json["status_url"].removeprefix("/v1") for _ in range(2))
    assert first != second
    followed(shop, first)
    followed(shop, second)


def test_what_only_intake_finds_wrong_is_told_to_the_caller_alone(shop: Shop, stranger: Shop) -> None:
    path = placed(shop, lines=[{"sku": "TEA-1", "quantity": 1_000_000, "unit_price": 10**15}])
    assert "total" in followed(shop, path, "REJECTED").json["rejection"]
    assert [event["type"] for event in shop.ask("GET", f"{path}/events").json["events"]] == ["OrderRejected"]
    for question in (path, f"{path}/events"):
        refused(stranger.ask("GET", question), 404)


def test_an_order_is_its_customers_own(shop: Shop, stranger: Shop, operator: Shop) -> None:
    path = placed(shop)
    followed(shop, path)
    for question in (path, f"{path}/events", f"{path}?as_of=2100-01-01T00:00:00Z"):
        refused(stranger.ask("GET", question), 404)
        assert operator.ask("GET", question).status == 200
    listed = stranger.ask("GET", "/orders?limit=100").json["orders"]
    assert path.rpartition("/")[2] not in {each["order_id"] for each in listed}
    page = shop.ask("GET", "/orders?limit=1").json
    refused(stranger.ask("GET", f"/orders?limit=1&cursor={page['cursor']}"), 404)


def test_an_order_is_cancelled_by_its_customer_alone(pipeline: Pipeline, shop: Shop, stranger: Shop) -> None:
    path = placed(shop)
    followed(shop, path)
    letters = Counter(dead_letters(pipeline))
    assert stranger.ask("POST", f"{path}/cancellation", {}).status == 202
    [refusal] = eventually(lambda: Counter(dead_letters(pipeline)) - letters)
    assert "not the caller's order" in refusal
    assert shop.ask("GET", path).json["status"] == "CONFIRMED"

    assert shop.ask("POST", f"{path}/cancellation", {"reason": "thought better of it"}).status == 202
    cancelled = followed(shop, path, "CANCELLED").json
    assert (cancelled["payment"], cancelled["stock"], cancelled["shipment"]) == ("refunded", "released", "cancelled")


def test_an_operator_cancels_anybodys_order_and_a_dispatched_one_is_not_cancelled(
    pipeline: Pipeline, shop: Shop, operator: Shop
) -> None:
    path, dispatched = placed(shop), placed(shop)
    followed(shop, path)
    followed(shop, dispatched)
    report = ShipmentStatusReported(order_id=dispatched.rpartition("/")[2], status="dispatched")
    Publisher(pipeline.client("events"), pipeline.intake_bus, "carrier").publish([report])
    eventually(lambda: shop.ask("GET", dispatched).json["shipment"] == "dispatched")

    for each in (path, dispatched):
        assert operator.ask("POST", f"{each}/cancellation", {}).status == 202
    followed(shop, path, "CANCELLED")
    eventually(lambda: shop.ask("GET", dispatched).json["cancellation"] == "refused")
    assert shop.ask("GET", dispatched).json["status"] == "CONFIRMED"


@pytest.mark.parametrize(
    "body",
    [
        {**ORDER, "customer": {"customer_id": "somebody-else"}},
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
    assert shop.ask("GET", f"{path}/events").json["events"][0]["data"]["shipping_address"] == address
    refused(shop.ask("POST", "/orders", text + b" " * 1_100_000), 413)


@pytest.mark.parametrize("key", [" ", "with space", "x" * 32, "é"])
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


def test_a_token_must_be_genuine_and_meant_for_us(pipeline: Pipeline, shop: Shop) -> None:
    client = pipeline.client("cognito-idp").create_user_pool_client(
        UserPoolId=pipeline.outputs["UserPoolId"],
        ClientName="of-another-service",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["orders/read"],
    )["UserPoolClient"]
    header, claims, signature = shop.token.split(".")
    forged = _encoded({**_decoded(claims), "sub": "somebody-else"})
    none = _encoded({**_decoded(header), "alg": "none"})
    for bad in (
        "",
        "no-token",
        f"{header}.{forged}.{signature}",
        f"{none}.{claims}.",
        token(pipeline, client["ClientId"]),
    ):
        refused(shop.ask("GET", "/orders", Authorization=bad and f"Bearer {bad}"), 401)


def test_a_token_without_the_scope_is_not_enough(pipeline: Pipeline, shop: Shop) -> None:
    reader = Shop.of(pipeline, "Shop", "orders/read")
    writer = Shop.of(pipeline, "Shop", "orders/write")
    assert reader.ask("GET", "/orders").status == 200
    refused(reader.ask("POST", "/orders", ORDER), 403)
    refused(writer.ask("GET", "/orders"), 403)
    refused(shop.ask("POST", "/orders", ORDER, x_api_key="none"), 403)


def test_more_than_the_plan_allows_is_refused_method_by_method(pipeline: Pipeline, shop: Shop) -> None:
    """Whoever asks too much can still order."""
    path = placed(shop)
    limited = replace(shop, key=new_key(pipeline, {"/orders/{order_id}/GET": {"rateLimit": 0, "burstLimit": 0}}))
    refused(limited.ask("GET", path), 429)
    assert limited.ask("GET", "/orders").status == 200
    placed(limited)


def test_questions_need_a_key_too(shop: Shop) -> None:
    refused(shop.ask("GET", "/orders", x_api_key=""), 403)


def test_a_browser_is_shown_the_document(shop: Shop) -> None:
    page = shop.ask("GET", "/docs", Authorization="", x_api_key="")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert shop.ask("GET", "/docs/start.js", Authorization="", x_api_key="").status == 200


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
        ("POST", "/orders", 202),
        ("POST", "/orders/o.1/cancellation", 400),
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
