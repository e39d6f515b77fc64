"""The OpenAPI document: valid, of exactly what there is, and true of what is answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from events import streams
from events.ordering import OrderCancellationStarted, OrderCancelled, UnknownOrderCancellationRefused
from handlers.api import answers
from handlers.api.requests import KEY_PATTERN, OrderRequest
from handlers.ordering.order import Status
from handlers.projections.order_items import REJECTED
from handlers.table.event_store import EventStore
from tests.builders.api import OPERATOR, ask, happened
from tests.builders.api_routes import OPEN, OPERATIONS
from tests.builders.orders import placed
from tests.builders.recorded_events import record
from tests.builders.stores import append, place

PROBLEM = "#/components/schemas/Problem"


@pytest.fixture
def document() -> Any:
    answer = ask("/openapi.json")
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
    return json.loads(answer["body"])


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    return (
        (verb.upper(), path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    )


def test_it_is_valid_openapi(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_about_the_operations_there_are_and_no_others(document: Any) -> None:
    assert {(verb, path) for verb, path, _ in operations(document)} == OPERATIONS
    assert document["servers"] == [{"url": "/v1"}]


@pytest.mark.parametrize("path", [*(path for verb, path in sorted(OPERATIONS) if verb == "GET"), *OPEN])
def test_the_function_answers_the_questions_and_shows_the_document(store: EventStore, path: str) -> None:
    answer = ask(re.sub("{.*?}", "o1", path))
    assert "there is nothing here" not in answer["body"]


def test_every_error_is_a_problem_and_none_is_a_422(document: Any) -> None:
    for _, path, operation in operations(document):
        statuses = operation["responses"].keys()
        assert {"400", "401", "403", "429", "500", "502", "504"} <= statuses
        assert "422" not in statuses
        assert ("404" in statuses) == (operation is document["paths"][path].get("get"))
        for status, response in operation["responses"].items():
            if status >= "400":
                [(media_type, content)] = response["content"].items()
                assert (media_type, content["schema"]) == ("application/problem+json", {"$ref": PROBLEM})
    assert not any("Validation" in name for name in document["components"]["schemas"])


def test_a_token_is_all_that_a_request_needs(document: Any) -> None:
    [(name, token)] = document["components"]["securitySchemes"].items()
    assert (name, token["scheme"], token["bearerFormat"]) == ("token", "bearer", "JWT")
    assert "x-api-key" not in json.dumps(document)


def test_questions_tell_of_tags_and_are_for_shops_and_operators(document: Any) -> None:
    for verb, _, operation in operations(document):
        if verb == "GET":
            assert "ETag" in operation["responses"]["200"]["headers"]
            assert "content" not in operation["responses"]["304"]
            assert "If-None-Match" in {part["name"] for part in operation["parameters"]}
            assert operation["security"] == [{"token": ["orders/read"]}, {"token": ["orders/operate"]}]


def test_requests_are_accepted_and_operators_only_cancel(document: Any) -> None:
    for verb, path, operation in operations(document):
        if verb == "POST":
            operators = [] if path == "/orders" else [{"token": ["orders/operate"]}]
            assert operation["security"] == [{"token": ["orders/write"]}, *operators]
            assert operation["requestBody"]["required"] is True
            assert {"202", "413", "415", "503"} <= operation["responses"].keys()
            [accepted] = operation["responses"]["202"]["content"].values()
            assert accepted["schema"] == {"$ref": "#/components/schemas/Accepted"}
            names = {part["name"]: part for part in operation["parameters"]}
            assert names.keys() == ({"Idempotency-Key"} if path == "/orders" else {"order_id"})
    [key] = document["paths"]["/orders"]["post"]["parameters"]
    assert key["schema"]["pattern"] == KEY_PATTERN
    assert "1 to 47" in key["description"]
    assert key.get("required", False) is False


def test_what_a_question_may_say_is_told(document: Any) -> None:
    asked = {part["name"]: part["schema"] for part in document["paths"]["/orders"]["get"]["parameters"]}
    assert asked["limit"].items() >= {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}.items()
    assert asked["cursor"]["anyOf"][0] == {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,1024}$"}
    assert asked["customer_id"]["anyOf"][0]["pattern"] == "^([a-z0-9]{1,16}[.])?[A-Za-z0-9_-]{1,64}$"
    assert set(asked["status"]["anyOf"][0]["enum"]) == set(answers.Status.__args__)  # type: ignore[attr-defined]


def test_an_order_is_told_as_the_model_has_it(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["OrderRequest"]["properties"].keys() == OrderRequest.model_fields.keys()
    assert schemas["OrderRequest"]["additionalProperties"] is False
    assert schemas["Customer"]["properties"].keys() == {"customer_id", "email"}


def test_it_says_what_json_schema_cannot(document: Any) -> None:
    for rule in ("`1.0` is refused", "byte order mark", "at most 1 MiB", "200 KiB"):
        assert rule in document["info"]["description"]


def test_every_status_an_order_can_have_is_told() -> None:
    assert set(answers.Status.__args__) == {*Status, REJECTED}  # type: ignore[attr-defined]


def test_what_is_answered_is_what_the_document_says(document: Any, store: EventStore) -> None:
    reason = {"order_id": "demo.o1", "reason": "OutOfStock"}
    events = [placed("demo.o1"), OrderCancellationStarted(**reason), OrderCancelled(**reason)]
    happened(store, [record(event, streams.order("demo.o1"), n) for n, event in enumerate(events, start=1)])
    happened(store, [record(placed("demo.o2"), streams.order("demo.o2"), 1)])
    place(store, "demo.o3")
    append(store, streams.unknown_order("demo.o4"), UnknownOrderCancellationRefused(order_id="demo.o4"))
    level = {"PK": {"S": "level#A"}, "SK": {"S": "level"}, "available": {"N": "7"}}
    store.client.put_item(TableName=store.table, Item=level)
    asked: list[tuple[str, dict[str, Any], str, str]] = [
        ("/orders/o1", {}, "/orders/{order_id}", "200"),
        ("/orders/o1", {"as_of": "2030-01-01T00:00:00Z"}, "/orders/{order_id}", "200"),
        ("/orders", {"limit": 1}, "/orders", "200"),
        ("/orders", {}, "/orders", "200"),
        ("/orders", {"customer_id": "c1"}, "/orders", "200"),
        ("/orders/o1/events", {}, "/orders/{order_id}/events", "200"),
        ("/orders/o3/events", {}, "/orders/{order_id}/events", "200"),
        ("/orders/o1/cancellation", {}, "/orders/{order_id}/cancellation", "200"),
        ("/orders/o4/cancellation", {}, "/orders/{order_id}/cancellation", "200"),
        ("/orders/o2/cancellation", {}, "/orders/{order_id}/cancellation", "404"),
        ("/stock/A", {}, "/stock/{sku}", "200"),
        ("/stock/B", {}, "/stock/{sku}", "404"),
        ("/orders", {"limit": 0}, "/orders", "400"),
        ("/orders", {"cursor": "x"}, "/orders", "404"),
        ("/orders", {"customer_id": "other.c1"}, "/orders", "404"),
        ("/orders/other.o1", {}, "/orders/{order_id}", "404"),
    ]
    for path, parameters, documented_path, status in asked:
        told(document, ask(path, **parameters), documented_path, status)
    for path, documented_path in (
        ("/orders/demo.o1", "/orders/{order_id}"),
        ("/orders/demo.o1/events", "/orders/{order_id}/events"),
        ("/orders/demo.o1/cancellation", "/orders/{order_id}/cancellation"),
        ("/orders", "/orders"),
    ):
        told(document, ask(path, OPERATOR), documented_path, "200")


def told(document: Any, answer: Any, path: str, status: str) -> None:
    """Check that an answer is as the document tells it."""
    assert str(answer["statusCode"]) == status
    [media_type] = answer["multiValueHeaders"]["Content-Type"]
    schema = document["paths"][path]["get"]["responses"][status]["content"][media_type]["schema"]
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(json.loads(answer["body"]))


# The page that shows it


def attributes(page: str, name: str) -> list[str]:
    return re.findall(rf'<[^>]*\s{name}="([^"]*)"', page)


def test_the_page_loads_its_own_files_and_they_show_the_document() -> None:
    answer = ask("/docs")
    assert answer["multiValueHeaders"]["Content-Type"] == ["text/html; charset=utf-8"]
    scripts, styles = attributes(answer["body"], "src"), attributes(answer["body"], "href")
    files = {path: ask(f"/{path}") for path in (*scripts, *styles)}
    kinds = {path: kind for path, file in files.items() for kind in file["multiValueHeaders"]["Content-Type"]}
    assert kinds == {
        **dict.fromkeys(scripts, "text/javascript; charset=utf-8"),
        **dict.fromkeys(styles, "text/css; charset=utf-8"),
    }
    assert all(file["statusCode"] == 200 for file in files.values())
    assert any("openapi.json" in files[path]["body"] for path in scripts)
    assert any("swagger" in files[path]["body"] for path in styles)


def test_no_script_stands_in_the_page_and_its_policy_lets_none_run() -> None:
    answer = ask("/docs")
    assert not re.search(r"<script[^>]*>\s*[^<\s]|\son[a-z]+\s*=|javascript:", answer["body"])
    [policy] = answer["multiValueHeaders"]["Content-Security-Policy"]
    directives = {name: sources for name, *sources in (part.split() for part in policy.split(";"))}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["connect-src"] == ["'self'"]
    assert not any(source.startswith("http") for sources in directives.values() for source in sources)


@pytest.mark.parametrize("name", ["oauth2.py", "__init__.py", "..", "%2e%2e", "start.js%00", "x" * 65])
def test_the_page_has_no_other_files(name: str) -> None:
    assert ask(f"/docs/{name}")["statusCode"] in {400, 404}
