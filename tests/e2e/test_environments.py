"""Two environments in one account and region, with orders of the same ids: nothing of one is seen by the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from events import streams
from events.integration import OrderSubmitted
from events.ordering import OrderConfirmed, OrderPlaced
from events.publishing.publisher import Publisher
from handlers.table.event_store import EventStore
from infra.local import aws_cli_examples
from infra.local.deploy import delete_stack
from infra.local.pipeline import Pipeline, deployed
from infra.local.runner.audit_input import read_dead_letters
from infra.names import API_STAGE, LOCAL_ENVIRONMENT, application_stack, data_stack
from tests.builders.commands import run_command
from tests.builders.settings import PLACE
from tests.builders.shops import ORDER, Shop
from tests.e2e.conftest import eventually

SENDER = "staging@example.com"
"""Its own: the sender's identity in SES goes with the environment that made it."""

SETTINGS = f"""{PLACE.replace("orders@example.com", SENDER)}
protected = false
api.account_log_role = false
[shops.demo]
sources = ["*"]
clients = ["*"]
"""
QUANTITIES = {LOCAL_ENVIRONMENT: 1, "staging": 2}
"""What tells the orders of the environments apart."""


@pytest.fixture(scope="module")
def both(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pipeline]]:
    """The pipeline that the tests share, and another environment beside it for as long as these tests run."""
    settings = tmp_path_factory.mktemp("settings") / "staging.toml"
    settings.write_text(SETTINGS)
    staging = deployed(pipeline.emulator, "staging", settings=settings)
    aws_cli_examples.stock_warehouse(staging)
    yield {LOCAL_ENVIRONMENT: pipeline, "staging": staging}
    for stack in (application_stack("staging"), data_stack("staging")):
        delete_stack(pipeline.emulator, stack)


def order(order_id: str, quantity: int) -> OrderSubmitted:
    lines = [{**ORDER["lines"][0], "quantity": quantity}]
    return OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": order_id, "lines": lines}))


def quantity_of(on: Pipeline, order_id: str) -> int | None:
    """How much was ordered, once the order is confirmed."""
    records = EventStore(on.client("dynamodb"), on.table_name).read(streams.order(order_id))
    events = {type(record.event): record.event for record in records}
    placed = events.get(OrderPlaced)
    return placed.lines[0].quantity if OrderConfirmed in events and isinstance(placed, OrderPlaced) else None


def command(on: Pipeline, environment: str, *arguments: str) -> Any:
    return run_command("--endpoint", on.endpoint, "--env", environment, *arguments)


def test_an_order_of_the_same_id_is_another_order_in_each(both: dict[str, Pipeline]) -> None:
    own_id = f"both-{uuid4().hex[:8]}"
    for name, quantity in QUANTITIES.items():
        Publisher(both[name].client("events"), both[name].intake_bus, "e2e").publish([order(own_id, quantity)])
    order_id = f"demo.{own_id}"
    for name, quantity in QUANTITIES.items():
        assert eventually(partial(quantity_of, both[name], order_id)) == quantity

    for name, quantity in QUANTITIES.items():
        status = eventually(partial(shown_confirmed, both[name], name, own_id))
        assert f"GBP {4.5 * quantity:.2f}" in status
    assert ran(both["staging"]) == {order_id}
    assert order_id in ran(both[LOCAL_ENVIRONMENT])


def shown_confirmed(on: Pipeline, environment: str, own_id: str) -> str:
    """What the command line says of a confirmed order; nothing before its view has it."""
    done = command(on, environment, "status", own_id)
    return done.stdout if "CONFIRMED" in done.stdout else ""


def ran(on: Pipeline) -> set[str]:
    """The orders that the express lane ran for."""
    states = on.client("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=on.express_state_machine_arn)
    executions = [execution["executionArn"] for page in pages for execution in page["executions"]]
    return {json.loads(states.describe_execution(executionArn=each)["input"])["order_id"] for each in executions}


def test_nothing_but_its_own_is_in_an_environment(both: dict[str, Pipeline]) -> None:
    own_id = f"staging-{uuid4().hex[:8]}"
    staging = both["staging"]
    before = set(read_dead_letters(both[LOCAL_ENVIRONMENT]))
    Publisher(staging.client("events"), staging.intake_bus, "e2e").publish([order(own_id, 2)])
    assert eventually(partial(quantity_of, staging, f"demo.{own_id}"))
    eventually(lambda: own_id in command(staging, "staging", "orders", "--status", "CONFIRMED").stdout)

    elsewhere = both[LOCAL_ENVIRONMENT]
    everything = elsewhere.client("dynamodb").get_paginator("scan")
    for table in (elsewhere.table_name, elsewhere.outputs["VaultTableName"]):
        assert own_id not in json.dumps([page["Items"] for page in everything.paginate(TableName=table)])
    assert own_id not in command(elsewhere, LOCAL_ENVIRONMENT, "orders", "--status", "CONFIRMED").stdout
    missing = command(elsewhere, LOCAL_ENVIRONMENT, "status", own_id)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert set(read_dead_letters(elsewhere)) == before
    assert read_dead_letters(staging) == {}
    physical = {name: set(each.outputs.values()) for name, each in both.items()}
    alike = physical["staging"] & physical[LOCAL_ENVIRONMENT]
    assert alike == {"demo", "express"}  # the shop and the lane that both have


def test_a_token_of_one_is_nobodys_in_the_other(both: dict[str, Pipeline]) -> None:
    own, staging = (Shop.of(both[name], "Shop", "orders/read") for name in QUANTITIES)
    api = both["staging"].outputs["ApiId"]
    at_staging = f"{both['staging'].endpoint}/restapis/{api}/{API_STAGE}/_user_request_"
    assert Shop(at_staging, staging.token).ask("GET", "/orders").status == 200
    assert Shop(at_staging, own.token).ask("GET", "/orders").status == 401
    assert own.ask("GET", "/orders").status == 200
    assert Shop(own.url, staging.token).ask("GET", "/orders").status == 401


def test_where_there_are_two_a_command_names_one(both: dict[str, Pipeline]) -> None:
    unclear = run_command("--endpoint", both["staging"].endpoint, "stock", "TEA-1")
    assert unclear.exit_code == 2
    assert unclear.stderr == "name an environment with --env; deployed in this account and region: dev, staging\n"
