"""Two shops, a warehouse and a carrier in one deployed pipeline: nobody acts for another, at no door.

The settings are of this file, and an issuer of its own gives tokens: to clients of shops, and to others.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from events.integration import INTEGRATION_EVENTS, PUBLISHED_BY
from events.shops import of_shop
from infra.local.pipeline import Pipeline
from infra.local.pipeline import pipeline as run_pipeline
from infra.local.runner.audit_input import read_dead_letters
from tests.builders.settings import PLACE
from tests.builders.shops import ORDER, Answer, Shop, on_plan_of_its_own
from tests.builders.tokens import AUDIENCE, ISSUER, Keys, published_keys, token
from tests.e2e.conftest import WAIT_SCALE, eventually

SETTINGS = """
[shops.acme]
sources = ["com.acme.orders"]
clients = ["acme-web"]
folder = "acme-files"

[shops.bloom]
sources = ["com.bloom.orders"]
claims = { org = "bloom" }

[partners.depot]
role = "warehouse"
source = "com.example.depot"

[partners.parcels]
role = "carrier"
source = "com.example.parcels"
"""
SOURCES = {
    "acme": "com.acme.orders",
    "bloom": "com.bloom.orders",
    "depot": "com.example.depot",
    "parcels": "com.example.parcels",
    "nobody": "com.example.nobody",
}
ROLES = {"acme": "shop", "bloom": "shop", "depot": "warehouse", "parcels": "carrier", "nobody": "nobody"}
FOLDERS = {"acme": "acme-files", "bloom": "bloom"}
SAID = {
    "acme": {"client_id": "acme-web"},
    "bloom": {"client_id": "any", "org": "bloom"},
    "nobody": {"client_id": "any"},
}
"""What the tokens of each say, besides their scopes."""

QUANTITIES = {"acme": 1, "bloom": 2}
"""What tells the orders of the shops apart, which have the same ids and customers of the same number."""

DOORS = {"by-bus": "bus", "by-http": "http", "by-file": "file"}
"""The orders of each shop, and by which door each comes in."""

SECONDS_TO_NEXT_DELIVERY = 3
UNCHANGED = ("order", "rejection", "cancellation", "unknown-order", "reservation", "payment", "shipment", "delivery")
"""The kinds of streams that say what shops and partners did."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Keys]:
    with published_keys() as keys:
        yield keys


@pytest.fixture(scope="module")
def deployed(issuer: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    file = tmp_path_factory.mktemp("settings") / "shops.toml"
    provider = f"[api.issuer]\nissuer = {ISSUER!r}\njwks_url = {issuer.url!r}\naudience = [{AUDIENCE!r}]\n"
    file.write_text(PLACE + provider + SETTINGS)
    with run_pipeline(settings=file) as running:
        running.emulator.scale_waits(WAIT_SCALE)
        # Dead letters that come while their function is at its concurrency are delivered again.
        for name in running.all_queue_urls:
            if name.endswith("DeadLetterQueue"):
                deliver_again_soon(running, name)
        yield running


def deliver_again_soon(on: Pipeline, queue: str) -> None:
    """Let messages of a queue be delivered again after a few seconds: less than on AWS."""
    on.client("sqs").set_queue_attributes(
        QueueUrl=on.all_queue_urls[queue], Attributes={"VisibilityTimeout": str(SECONDS_TO_NEXT_DELIVERY)}
    )


def caller(on: Pipeline, who: str, scope: str = "orders/read orders/write") -> Shop:
    return Shop(on.api_url, token(scope=scope, **SAID[who]))


def operator(on: Pipeline) -> Shop:
    return caller(on, "nobody", "orders/operate")


def order_of(shop: str, **changed: Any) -> dict[str, Any]:
    """An order of a shop, without an address for e-mails."""
    lines = [{"sku": "TEA-1", "quantity": QUANTITIES[shop], "unit_price": 450}]
    return {**ORDER, "lines": lines, "customer": {"customer_id": "c1"}, **changed}


def publish(on: Pipeline, who: str, detail_type: str, detail: Any) -> None:
    entry = {"EventBusName": on.intake_bus, "Source": SOURCES[who], "DetailType": detail_type}
    on.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])


def drop(on: Pipeline, path: str, *orders: Mapping[str, Any]) -> None:
    body = "\n".join(map(json.dumps, orders)).encode()
    on.client("s3").put_object(Bucket=on.outputs["FilesBucketName"], Key=f"incoming/{path}", Body=body)


def report(on: Pipeline, path: str) -> dict[str, Any]:
    """The report of a file, once its import has ended."""
    s3, bucket = on.client("s3"), on.outputs["FilesBucketName"]

    def look() -> dict[str, Any] | None:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"reports/{path}/").get("Contents", [])
        return json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()) if found else None

    return eventually(look)


def followed(shop: Shop, path: str, status: str = "CONFIRMED") -> Any:
    """The order at ``path``, once it has that status."""

    def look() -> Any:
        answer = shop.ask("GET", path)
        return answer.json if answer.status == 200 and answer.json["status"] == status else None

    return eventually(look)


def refused(answer: Answer, status: int) -> None:
    assert (answer.status, answer.json["status"]) == (status, status), answer.body


@pytest.fixture(scope="module")
def shops(deployed: Pipeline) -> Mapping[str, Shop]:
    """Both shops, once the orders that each placed by every door are confirmed, and one that it alone has."""
    goods = {"delivery_id": "first", "lines": [{"sku": "TEA-1", "quantity": 1000}]}
    publish(deployed, "depot", "StockDelivered", goods)
    callers = {shop: caller(deployed, shop) for shop in FOLDERS}
    eventually(lambda: callers["acme"].ask("GET", "/stock/TEA-1").status == 200)
    for shop, its in callers.items():
        publish(deployed, shop, "OrderSubmitted", {**order_of(shop), "order_id": "by-bus"})
        for key in ("by-http", f"only-{shop}"):
            assert its.ask("POST", "/orders", order_of(shop), Idempotency_Key=key).status == 202
        drop(deployed, f"{FOLDERS[shop]}/orders.ndjson", {**order_of(shop), "order_id": "by-file"})
    for shop, its in callers.items():
        for own_id in (*DOORS, f"only-{shop}"):
            followed(its, f"/orders/{own_id}")
    return callers


def state(on: Pipeline) -> list[str]:
    """All that shops and partners did, what is in stock, and the vault."""
    pages = [
        page
        for name in (on.table_name, on.outputs["VaultTableName"])
        for page in on.client("dynamodb").get_paginator("scan").paginate(TableName=name)
    ]
    kinds = {*UNCHANGED, "level", *FOLDERS}
    items = [item for page in pages for item in page["Items"] if item["PK"]["S"].partition("#")[0] in kinds]
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def reasons(on: Pipeline) -> Counter[str]:
    """Why messages were refused."""
    return Counter(letter.reasons for letter in read_dead_letters(on).values())


@contextmanager
def nothing_changes(on: Pipeline) -> Iterator[list[str]]:
    """Check that what is done in the block changes nothing, and is refused for the reasons that the block gives."""
    before, letters, expected = state(on), reasons(on), list[str]()
    yield expected
    eventually(lambda: reasons(on).total() >= letters.total() + len(expected))
    assert reasons(on) == letters + Counter(expected)
    assert state(on) == before


def test_each_shop_has_its_orders_by_every_door_under_ids_that_both_have(
    deployed: Pipeline, shops: Mapping[str, Shop]
) -> None:
    principals = {"acme": ["com.acme.orders", "acme-web", "acme-files"], "bloom": ["com.bloom.orders", "any", "bloom"]}
    for shop, its in shops.items():
        for (own_id, door), principal in zip(DOORS.items(), principals[shop], strict=True):
            order = its.ask("GET", f"/orders/{own_id}").json
            assert (order["order_id"], order["customer_id"]) == (own_id, "c1")
            assert order["total"] == QUANTITIES[shop] * 450
            first = its.ask("GET", f"/orders/{own_id}/events").json["events"][0]
            assert first["actor"] == {"door": door, "principal": principal, "redriven_by": None}
        for query in ("", "?status=CONFIRMED", "?customer_id=c1"):
            listed = {each["order_id"] for each in its.ask("GET", f"/orders{query}").json["orders"]}
            assert listed == {*DOORS, f"only-{shop}"}
    answers = [each.ask("GET", "/stock/TEA-1").json for each in (*shops.values(), operator(deployed))]
    assert answers[0]["available"] == 1000 - 4 * sum(QUANTITIES.values())
    assert answers == answers[:1] * 3
    assert not reasons(deployed)


NOT_OWN = "order_id: String should match pattern '^[A-Za-z0-9_-]{1,47}$'"
DETAILS: dict[str, dict[str, Any]] = {
    "OrderSubmitted": {**order_of("bloom"), "order_id": "new"},
    "OrderCancellationRequested": {"order_id": "by-bus"},
    "StockDelivered": {"delivery_id": "second", "lines": [{"sku": "TEA-1", "quantity": 1}]},
    "ShipmentStatusReported": {"order_id": "acme.by-bus", "status": "dispatched"},
}


@pytest.mark.usefixtures("shops")
def test_who_publishes_in_anothers_role_or_name_changes_nothing(deployed: Pipeline) -> None:
    assert DETAILS.keys() == INTEGRATION_EVENTS.keys()
    with nothing_changes(deployed) as because:
        for who, source in SOURCES.items():
            for detail_type, detail in DETAILS.items():
                needed = PUBLISHED_BY[INTEGRATION_EVENTS[detail_type]]
                if ROLES[who] != needed:
                    publish(deployed, who, detail_type, detail)
                    because.append(
                        f"source: the source {source!r} is nobody's in the settings"
                        if who == "nobody"
                        else f"detail-type: {detail_type} is for a {needed} to publish, and {source!r} is none"
                    )
        for detail_type in ("OrderSubmitted", "OrderCancellationRequested"):
            publish(deployed, "bloom", detail_type, {**DETAILS[detail_type], "order_id": "acme.by-bus"})
            because.append(NOT_OWN)


QUESTIONS = ("", "/events", "/cancellation", "?as_of=2100-01-01T00:00:00Z")


def test_who_calls_in_anothers_name_is_refused_and_changes_nothing(
    deployed: Pipeline, shops: Mapping[str, Shop]
) -> None:
    acme, bloom = shops.values()
    with nothing_changes(deployed) as because:
        for named in ("only-acme", "acme.only-acme"):
            for question in QUESTIONS:
                refused(bloom.ask("GET", f"/orders/{named}{question}"), 404)
        for query in ("", "customer_id=c1&", "status=CONFIRMED&"):
            cursor = acme.ask("GET", f"/orders?{query}limit=1").json["cursor"]
            refused(bloom.ask("GET", f"/orders?{query}limit=1&cursor={cursor}"), 404)
        refused(bloom.ask("GET", "/orders?customer_id=acme.c1"), 404)
        refused(bloom.ask("POST", "/orders", order_of("bloom"), Idempotency_Key="acme.new"), 400)
        for forged in ({"shop": "acme"}, {"order_id": "acme.new"}, {"customer": {"customer_id": "acme.c1"}}):
            refused(bloom.ask("POST", "/orders", {**order_of("bloom"), **forged}), 400)
        assert bloom.ask("POST", "/orders/acme.only-acme/cancellation", {}).status == 202
        because.append(NOT_OWN)


@pytest.mark.usefixtures("shops")
def test_a_client_of_nobody_may_do_nothing_and_an_operator_places_no_orders(deployed: Pipeline) -> None:
    nobody = caller(deployed, "nobody")
    with nothing_changes(deployed):
        for path in ("/orders", "/stock/TEA-1", *(f"/orders/only-acme{question}" for question in QUESTIONS)):
            refused(nobody.ask("GET", path), 403)
        for path, body in (("/orders", order_of("acme")), ("/orders/only-acme/cancellation", {})):
            refused(nobody.ask("POST", path, body), 403)
        refused(operator(deployed).ask("POST", "/orders", order_of("acme")), 403)


@pytest.mark.usefixtures("shops")
def test_a_file_in_nobodys_folder_or_with_anothers_ids_places_nothing(deployed: Pipeline) -> None:
    with nothing_changes(deployed):
        # "acme" is the name of a shop, and not of its folder.
        for path in ("nobody/orders.ndjson", "acme/orders.ndjson", "orders.ndjson"):
            drop(deployed, path, DETAILS["OrderSubmitted"])
            assert "a file goes into the folder of its shop" in report(deployed, path)["error"]
        drop(deployed, "bloom/of-acme.ndjson", {**order_of("bloom"), "order_id": "acme.new"})
        found = report(deployed, "bloom/of-acme.ndjson")
        assert (found["error"], found["accepted"], found["rejected_count"]) == (None, 0, 1)


def test_a_cancellation_of_an_order_that_another_shop_has_comes_to_nothing(
    deployed: Pipeline, shops: Mapping[str, Shop]
) -> None:
    """It may come before its order, so it waits; then the shop that asked is told, and nobody else."""
    acme, bloom = shops.values()
    letters = reasons(deployed)
    deliver_again_soon(deployed, "OrderIntakeQueue")
    path = "/orders/only-acme/cancellation"
    assert bloom.ask("POST", path, {"reason": "not mine"}).status == 202
    became = eventually(lambda: answer.json if (answer := bloom.ask("GET", path)).status == 200 else None)
    assert became == {"order_id": "only-acme", "status": "refused", "reason": "there was no such order"}
    refused(acme.ask("GET", path), 404)
    assert acme.ask("GET", "/orders/only-acme").json["status"] == "CONFIRMED"
    assert reasons(deployed) == letters


def test_an_operator_sees_all_shops_and_cancels_an_order_of_one(deployed: Pipeline, shops: Mapping[str, Shop]) -> None:
    every = {of_shop(shop, own_id) for shop in shops for own_id in (*DOORS, f"only-{shop}")}
    ops = operator(deployed)
    listed, cursor = set(), ""
    while cursor is not None:
        page = ops.ask("GET", f"/orders?limit=3{cursor and f'&cursor={cursor}'}").json
        listed |= {each["order_id"] for each in page["orders"]}
        cursor = page["cursor"]
    assert listed == every
    refused(ops.ask("GET", "/orders/by-http"), 404)

    assert ops.ask("POST", "/orders/acme.by-http/cancellation", {}).status == 202
    assert followed(shops["acme"], "/orders/by-http", "CANCELLED")["payment"] == "refunded"
    assert shops["bloom"].ask("GET", "/orders/by-http").json["status"] == "CONFIRMED"
    [asked] = [
        event
        for event in shops["acme"].ask("GET", "/orders/by-http/events").json["events"]
        if event["type"] == "CancellationRequested"
    ]
    assert asked["actor"] == {"door": "http", "principal": None, "redriven_by": None}


def test_a_shop_at_the_limits_of_its_plan_leaves_those_of_another_alone(
    deployed: Pipeline, shops: Mapping[str, Shop]
) -> None:
    acme, bloom = shops.values()
    key = deployed.client("apigateway").get_api_key(apiKey=deployed.outputs["BloomApiKeyId"], includeValue=True)
    with on_plan_of_its_own(deployed, "acme", {"/orders/{order_id}/GET": {"rateLimit": 0, "burstLimit": 0}}):
        refused(acme.ask("GET", "/orders/by-bus"), 429)
        refused(acme.ask("GET", "/orders/by-bus", x_api_key=key["value"]), 429)
        assert acme.ask("GET", "/orders").status == 200
        assert bloom.ask("GET", "/orders/by-bus").status == 200
        assert operator(deployed).ask("GET", "/orders/acme.by-bus").status == 200
