"""What `pipeline status` and `pipeline history` say of the sagas' executions, in either lane."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events import streams
from handlers.operations.sagas import name_of_resumed
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.executions import sagas
from tests.builders.feeds import create_functions
from tests.builders.orders import line, placed
from tests.builders.stores import append


@pytest.fixture
def machines(environment: None) -> Any:
    return sagas()


def start(machines: Any, order_id: str, name: str | None = None) -> str:
    named = {"name": name} if name else {}
    request = {"stateMachineArn": OUTPUTS["StateMachineArn"], "input": json.dumps({"order_id": order_id}), **named}
    return str(machines.start_execution(**request)["executionArn"])


def test_history_names_the_executions_that_are_called_after_the_order(store: EventStore, machines: Any) -> None:
    append(store, streams.order("demo.o1"), placed("demo.o1", line("A")))
    assert run_command("history", "demo.o1").stderr == "", "the express lane leaves none"

    machines.stop_execution(executionArn=start(machines, "demo.o1", "demo.o1"))
    start(machines, "demo.o1", name_of_resumed("demo.o1", 1))
    start(machines, "demo.o10", "demo.o10")
    start(machines, "demo.o1")

    found = [said.partition(", started 20")[0] for said in run_command("history", "demo.o1").stderr.splitlines()]
    assert found == ["order saga demo.o1: ABORTED", f"order saga {name_of_resumed('demo.o1', 1)}: RUNNING"]


@pytest.mark.parametrize(
    ("lane", "said"),
    [("express", "the express lane (its executions cannot be listed)"), ("standard", "the standard lane")],
)
def test_the_status_of_the_pipeline_says_which_lane_orders_take_and_what_runs(
    machines: Any, monkeypatch: pytest.MonkeyPatch, lane: str, said: str
) -> None:
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, **create_functions(), "Lane": lane})
    start(machines, "demo.o1", "demo.o1")
    machines.stop_execution(executionArn=start(machines, "demo.o2", "demo.o2"))

    assert run_command("status").stderr == f"orders take {said}; order sagas running: 1, cancellations: 0\n"
