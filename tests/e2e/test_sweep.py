"""The sweep as it is deployed, by its own role: an order whose start was lost is decided without a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from events.shops import of_shop
from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.e2e.conftest import eventually
from tests.e2e.test_doctor import no_saga_starts, place, view


@contextmanager
def overdue_at_once(pipeline: Pipeline) -> Iterator[None]:
    """An order without an outcome is overdue as soon as it is there."""
    client, name = pipeline.client("lambda"), pipeline.function_name("sweep")
    before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    at_once = {**before, "OVERDUE_AFTER_MINUTES": "0"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": at_once})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def sweep(pipeline: Pipeline) -> int:
    """One run; returns how many sagas it started."""
    answer = pipeline.client("lambda").invoke(FunctionName=pipeline.function_name("sweep"))
    content = answer["Payload"].read()
    assert "FunctionError" not in answer, content
    return int(content)


def test_an_order_whose_start_was_lost_gets_its_saga_under_its_own_id(pipeline: Pipeline) -> None:
    order_id = of_shop(DEMO_SHOP, f"lost-{uuid4().hex}")
    with no_saga_starts(pipeline):
        place(pipeline, order_id, until="PLACED")
    assert sweep(pipeline) == 0, "it may be under way"
    with overdue_at_once(pipeline):
        eventually(lambda: sweep(pipeline) or view(pipeline, order_id)["status"]["S"] != "PLACED")
    eventually(lambda: view(pipeline, order_id)["status"]["S"] == "CONFIRMED")
    execution = f"{pipeline.state_machine_arn.replace(':stateMachine:', ':execution:')}:{order_id}"
    assert pipeline.client("stepfunctions").describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
    assert sweep(pipeline) == 0
