"""Traces of functions as they are deployed, as X-Ray's daemon gets them: personal data is in none of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import pytest

from events.integration import OrderSubmitted
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.intake.callers import OPERATE, READ, Caller
from infra.functions import FUNCTIONS
from infra.local.emulator.process import ACCOUNT, REGION
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders import api, deployed_function
from tests.builders.deployed_function import Called
from tests.builders.environment import ENVIRONMENT
from tests.builders.messages import from_publisher, sqs
from tests.builders.shops import ORDER, Shop
from tests.builders.xray_daemon import XRayDaemon, xray_daemon
from tests.e2e.conftest import eventually

EMAIL, NAME, STREET = "zoe@marmalade.example", "Zoe Quillfeather", "77 Marmalade Row"
PERSONAL = (EMAIL, NAME, STREET)
OPERATOR = Caller(subject="an operator", client="operations", scopes=f"{READ} {OPERATE}")
LARGEST_DATAGRAM = 65_507
SPECS = {function.key: function for function in FUNCTIONS}

Sampled = Callable[[str, str, Mapping[str, Any]], Called]
"""Calls a function by its key, whose own calls go to that address, with that event; X-Ray samples it."""


@pytest.fixture
def daemon() -> Iterator[XRayDaemon]:
    with xray_daemon() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sequence[str]]:
    return cache(lambda key: deployed_function.unpacked(SPECS[key], tmp_path_factory.mktemp(key)))


@pytest.fixture
def sampled(pipeline: Pipeline, daemon: XRayDaemon, unpacked: Callable[[str], Sequence[str]]) -> Sampled:
    def called(key: str, endpoint: str, event: Mapping[str, Any]) -> Called:
        about = pipeline.client("lambda").get_function_configuration(FunctionName=pipeline.function_name(key))
        aws = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        credentials = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": ACCOUNT}
        parties = {"PARTIES_FILE": ENVIRONMENT["PARTIES_FILE"]}
        environment = {**about["Environment"]["Variables"], **parties, **aws, **credentials, **daemon.environment()}
        return deployed_function.call(SPECS[key], unpacked(key), event, environment)

    return called


@pytest.fixture
def telltale() -> Iterator[str]:
    """The address of an AWS that refuses every call, and quotes the request and the customer in its message."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers["Content-Length"])).decode()
            body = json.dumps({"__type": "ValidationException", "message": f"{PERSONAL} {request}"}).encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        serving = threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def submission(lines: int = 1) -> dict[str, Any]:
    """An order of a customer with an address, under an id of its own."""
    return {
        **ORDER,
        "order_id": f"traced-{uuid4().hex}",
        "lines": [{"sku": f"{number:064d}", "quantity": 1, "unit_price": 450} for number in range(lines)],
        "customer": {"customer_id": "zoe", "email": EMAIL},
        "shipping_address": {**ORDER["shipping_address"], "name": NAME, "street": STREET},
    }


def history(order: Mapping[str, Any]) -> dict[str, Any]:
    """An operator's question for all that happened to an order."""
    return api.question(f"/orders/{of_shop(DEMO_SHOP, order['order_id'])}/events", OPERATOR)


def wait_for_its_end(operator: Shop, order: Mapping[str, Any]) -> None:
    """Nothing that it orders is in stock."""
    order_id = of_shop(DEMO_SHOP, order["order_id"])
    eventually(lambda: operator.ask("GET", f"/orders/{order_id}").json.get("status") == "CANCELLED")


def assert_nothing_personal(datagrams: list[str]) -> None:
    assert datagrams
    assert [mark for mark in PERSONAL for datagram in datagrams if mark in datagram] == []


@pytest.mark.parametrize("lines", [1, 800], ids=["an answer", "an answer larger than a datagram"])
def test_answers_of_the_api_are_not_in_traces(
    pipeline: Pipeline, operator: Shop, sampled: Sampled, daemon: XRayDaemon, lines: int
) -> None:
    order = submission(lines)
    event = OrderSubmitted.model_validate_json(json.dumps(order))
    Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e").publish([event])
    wait_for_its_end(operator, order)

    called = sampled("api_query", pipeline.endpoint, history(order))

    assert called.answer["statusCode"] == 200
    assert (len(called.answer["body"]) > LARGEST_DATAGRAM) == (lines > 1)
    assert "Traceback" not in called.printed
    assert_nothing_personal(daemon.received())


def test_what_order_intake_takes_in_is_not_in_traces(
    pipeline: Pipeline, operator: Shop, sampled: Sampled, daemon: XRayDaemon
) -> None:
    order = submission()
    called = sampled("order_intake", pipeline.endpoint, sqs(from_publisher(order)))
    assert called.answer == {"batchItemFailures": []}
    assert_nothing_personal(daemon.received())
    wait_for_its_end(operator, order)


@pytest.mark.parametrize(
    ("key", "event"),
    [("api_query", history(submission())), ("order_intake", sqs(from_publisher(submission())))],
)
def test_an_errors_class_is_in_traces_and_its_message_is_not(
    sampled: Sampled, daemon: XRayDaemon, telltale: str, key: str, event: dict[str, Any]
) -> None:
    called = sampled(key, telltale, event)
    assert called.answer.get("statusCode") == 500 or called.answer["batchItemFailures"]
    datagrams = daemon.received()
    assert any('"type": "ClientError"' in datagram for datagram in datagrams)
    assert_nothing_personal(datagrams)
