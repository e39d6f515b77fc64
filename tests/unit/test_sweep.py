"""The sweep: what stands still is started under the order's id, once, and no more of it than a run may start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from events import streams
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
)
from handlers.operations.errors import OperationFailed
from handlers.operations.sagas import Saga, Sagas
from handlers.operations.sweep.sweep import WAITING, Sweep
from handlers.projections.engine.generations import GenerationStore
from handlers.projections.order_view import ORDER_VIEW, OrderView
from handlers.runtime import aws
from handlers.runtime.observability import metrics
from handlers.table import keys
from handlers.table.event_store import EventStore
from tests.builders.orders import placed
from tests.builders.recorded_events import ACTOR
from tests.builders.stores import append, calls

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ROLE = "arn:aws:iam::123456789012:role/saga"
AFTER = timedelta(minutes=10)
LONG_AGO = datetime.now(UTC) - 2 * AFTER
SHOPS = ("demo", "acme")


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics since last asked, as CloudWatch reads them."""
    metrics.flush_metrics()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


class Scene:
    """Orders in log and views, two state machines whose executions run without end, and a clock."""

    def __init__(self, store: EventStore) -> None:
        self.later = timedelta(0)
        self.store = EventStore(store.client, store.table, ACTOR, clock=lambda: datetime.now(UTC) + self.later)
        self.machines: SFNClient = aws.stepfunctions()
        self.live = {
            saga: self.machines.create_state_machine(name=saga.name, definition="{}", roleArn=ROLE)["stateMachineArn"]
            for saga in Saga
        }
        self.paused = False

    def happened(self, order_id: str, *events: DomainEvent, at: datetime = LONG_AGO, view: bool = True) -> None:
        """Append events of an order, and show them in its view."""
        then = EventStore(self.store.client, self.store.table, ACTOR, clock=lambda: at)
        for event in events:
            asked = isinstance(event, CancellationRequested | OrderCancellationRefused)
            stream = streams.cancellation(order_id) if asked else streams.order(order_id)
            records = append(then, stream, event)
            if view:
                assert OrderView(self.store).apply("1", records) == {}

    def run(self, *shops: str) -> int:
        """One run; returns what it says it started."""
        sagas = Sagas(self.machines, self.live)
        return Sweep(self.store, sagas, shops or SHOPS, overdue_after=AFTER, paused=lambda: self.paused).run()

    def sweep(self, *shops: str) -> int:
        """One run; returns how many executions there are more."""
        before = self.started()
        self.run(*shops)
        return sum(len(names) - len(before[saga]) for saga, names in self.started().items())

    def started(self) -> dict[Saga, list[str]]:
        """The executions' names; each has the order's id alone as its input."""
        found: dict[Saga, list[str]] = {}
        for saga, machine in self.live.items():
            executions = self.machines.list_executions(stateMachineArn=machine)["executions"]
            found[saga] = sorted(each["name"] for each in executions)
            for each in executions:
                asked = self.machines.describe_execution(executionArn=each["executionArn"])["input"]
                assert json.loads(asked) == {"order_id": each["name"]}
        return found


@pytest.fixture
def scene(store: EventStore) -> Scene:
    metrics.clear_metrics()
    return Scene(store)


COURSES: dict[str, tuple[list[DomainEvent], Saga | None]] = {
    "placed": ([], Saga.ORDER),
    "cancelling": ([OrderCancellationStarted(order_id="demo.o1", reason="OutOfStock")], Saga.ORDER),
    "asked-while-placed": ([CancellationRequested(order_id="demo.o1")], Saga.ORDER),
    "unanswered": ([OrderConfirmed(order_id="demo.o1"), CancellationRequested(order_id="demo.o1")], Saga.CANCELLATION),
    "asked-then-confirmed": (
        [CancellationRequested(order_id="demo.o1"), OrderConfirmed(order_id="demo.o1")],
        Saga.CANCELLATION,
    ),
    "recalled": (
        [
            OrderConfirmed(order_id="demo.o1"),
            CancellationRequested(order_id="demo.o1"),
            OrderCancellationStarted(order_id="demo.o1", reason="CancellationRequested"),
        ],
        Saga.CANCELLATION,
    ),
    "confirmed": ([OrderConfirmed(order_id="demo.o1")], None),
    "refused": (
        [
            OrderConfirmed(order_id="demo.o1"),
            CancellationRequested(order_id="demo.o1"),
            OrderCancellationRefused(order_id="demo.o1", reason="it was dispatched"),
        ],
        None,
    ),
    "cancelled": (
        [
            OrderCancellationStarted(order_id="demo.o1", reason="OutOfStock"),
            OrderCancelled(order_id="demo.o1", reason="OutOfStock"),
        ],
        None,
    ),
}


@pytest.mark.parametrize("course", COURSES)
def test_an_order_that_stands_still_gets_the_saga_that_its_log_needs(scene: Scene, course: str) -> None:
    events, saga = COURSES[course]
    scene.happened("demo.o1", placed("demo.o1"), *events)
    assert scene.sweep() == (saga is not None)
    assert scene.started() == {each: ["demo.o1"] if each is saga else [] for each in Saga}
    assert scene.sweep() == 0


def test_orders_of_every_shop_are_found_and_of_the_live_generation_alone(scene: Scene) -> None:
    scene.happened("acme.o1", placed("acme.o1"))
    assert scene.sweep("demo") == 0
    assert scene.sweep() == 1
    generations = GenerationStore(scene.store.client, scene.store.table)
    opened = generations.change(ORDER_VIEW.name, lambda before: before.opened(restart=False))
    generations.change(ORDER_VIEW.name, lambda before: before.switched(opened.building or ""))
    scene.happened("acme.o2", placed("acme.o2"))
    assert scene.sweep() == 0


@pytest.mark.parametrize("course", ["placed", "unanswered", "recalled"])
def test_an_order_whose_saga_may_still_be_at_work_is_left_alone(scene: Scene, course: str) -> None:
    """Confirmed long ago, and asked to be cancelled just now: what counts is since when the saga is due."""
    events, _ = COURSES[course]
    recently = datetime.now(UTC) - AFTER + timedelta(minutes=3)
    asked = [isinstance(event, CancellationRequested) for event in events]
    before = asked.index(True) if any(asked) else 0
    if any(asked):
        scene.happened("demo.o1", placed("demo.o1"), *events[:before])
        scene.happened("demo.o1", *events[before:], at=recently)
    else:
        scene.happened("demo.o1", placed("demo.o1"), at=recently)
    assert scene.sweep() == 0
    scene.later += timedelta(minutes=4)
    assert scene.sweep() == 1


def test_where_an_execution_has_the_orders_id_it_waits_for_a_person(scene: Scene) -> None:
    """It runs; then it failed."""
    scene.happened("demo.o1", placed("demo.o1"))
    assert [scene.sweep(), scene.sweep()] == [1, 0]
    [execution] = scene.machines.list_executions(stateMachineArn=scene.live[Saga.ORDER])["executions"]
    scene.machines.stop_execution(executionArn=execution["executionArn"])
    assert scene.sweep() == 0
    assert scene.started()[Saga.ORDER] == ["demo.o1"]


def test_what_a_run_started_is_counted_and_not_what_was_running(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where an execution of that name and input runs, Step Functions answers with that, and when it began."""
    scene.happened("demo.o1", placed("demo.o1"))
    assert scene.run() == 1
    scene.later += timedelta(minutes=1)
    assert scene.run() == 0
    [said] = told(capsys)
    assert said["SagasStarted"] == [1.0]


def test_while_something_is_paused_nothing_is_started(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """But orders that stand still are told of all the same."""
    scene.happened("demo.o1", placed("demo.o1"))
    scene.paused = True
    assert scene.sweep() == 0
    [said] = told(capsys)
    assert said["Paused"] == [1.0]
    assert "OrderWithoutOutcome" in said
    scene.paused = False
    assert scene.sweep() == 1
    assert not any("Paused" in each for each in told(capsys))


def test_the_oldest_order_that_waits_for_each_saga_is_told(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where its execution failed, and a person has to look: until then it has no outcome."""
    asked = [OrderConfirmed(order_id="demo.o3"), CancellationRequested(order_id="demo.o3")]
    scene.happened("demo.o1", placed("demo.o1"))
    scene.happened("demo.o2", placed("demo.o2"), at=LONG_AGO - AFTER)
    scene.happened("demo.o3", placed("demo.o3"), *asked)
    scene.happened("demo.o4", placed("demo.o4"), at=datetime.now(UTC))
    scene.happened("demo.o5", placed("demo.o5"), OrderConfirmed(order_id="demo.o5"))
    scene.run()
    for machine in scene.live.values():
        for each in scene.machines.list_executions(stateMachineArn=machine)["executions"]:
            scene.machines.stop_execution(executionArn=each["executionArn"])
    told(capsys)
    scene.run()
    [said] = told(capsys)
    ages = {name: [timedelta(milliseconds=ms) for ms in said[name]] for name in WAITING.values()}
    since = datetime.now(UTC) - LONG_AGO
    assert list(ages) == ["OrderWithoutOutcome", "CancellationWithoutAnswer"]
    for [age], expected in zip(ages.values(), (since + AFTER, since), strict=True):
        assert expected - timedelta(minutes=1) < age <= expected


def test_where_no_order_waits_for_long_nothing_is_told(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.happened("demo.o1", placed("demo.o1"), at=datetime.now(UTC))
    scene.run()
    assert told(capsys) == []


def test_the_log_decides_and_not_the_view(scene: Scene) -> None:
    scene.happened("demo.ended", placed("demo.ended"))
    scene.happened("demo.ended", OrderConfirmed(order_id="demo.ended"), view=False)
    scene.store.client.delete_item(
        TableName=scene.store.table, Key=keys.event(streams.order("demo.ended"), 1).attributes
    )
    assert scene.sweep() == 0


def test_a_run_starts_so_many_and_the_next_ones_the_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.operations.sweep.sweep.MOST_STARTED", 5)
    orders = [f"{shop}.o{number}" for shop in SHOPS for number in range(6)]
    for order_id in orders:
        scene.happened(order_id, placed(order_id))
    assert [scene.sweep() for _ in range(3)] == [5, 5, 2]
    assert scene.started()[Saga.ORDER] == sorted(orders)


def test_orders_that_wait_for_a_person_keep_no_other_from_its_turn(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run reads so many orders; those that failed are read again and again, and the others in between."""
    monkeypatch.setattr("handlers.operations.sweep.candidates.MOST_READ", 4)
    for number in range(10):
        scene.happened(f"demo.o{number}", placed(f"demo.o{number}"))
    assert sum(scene.sweep() for _ in range(3)) == 10
    scene.happened("demo.late", placed("demo.late"))
    assert sum(scene.sweep() for _ in range(4)) == 1
    assert "demo.late" in scene.started()[Saga.ORDER]


def test_a_run_asks_for_so_many_pages_and_the_next_one_for_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.operations.sweep.candidates.MOST_ASKED", 10)
    shops = [f"shop{number}" for number in range(3)]
    for shop in shops:
        scene.happened(f"{shop}.o1", placed(f"{shop}.o1"))
    assert sum(scene.sweep(*shops) for _ in range(8)) == 3


def test_where_no_order_stands_still_a_run_costs_the_same_however_many_are_confirmed(scene: Scene) -> None:
    for number in range(30):
        scene.happened(f"demo.o{number}", placed(f"demo.o{number}"), OrderConfirmed(order_id=f"demo.o{number}"))
    scene.happened("demo.late", placed("demo.late"), at=datetime.now(UTC))
    with calls(scene.store.client) as made:
        assert scene.sweep("demo") == 0
    assert sorted(made) == ["GetItem"] * 2 + ["Query"] * 24


def test_where_the_place_to_go_on_is_gone_a_run_begins_at_the_start(scene: Scene) -> None:
    scene.happened("demo.o1", placed("demo.o1"))
    for partition, after in (
        ("9#shop#demo#status#PLACED#0", "2026"),
        (keys.status_partition("1", "PLACED", "demo.o1"), "9"),
    ):
        place = {"partition": {"S": partition}, "after": {"S": after}}
        scene.store.client.put_item(TableName=scene.store.table, Item={**keys.SWEEP.attributes, **place})
        scene.sweep()
    assert scene.started()[Saga.ORDER] == ["demo.o1"]


@contextmanager
def busy(client: Any) -> Iterator[None]:
    """Step Functions throttles the first call."""
    with Stubber(client) as stub:
        stub.add_client_error("start_execution", "ThrottlingException")
        yield


def test_a_run_ends_where_step_functions_is_busy_and_the_next_goes_on(scene: Scene) -> None:
    for number in range(3):
        scene.happened(f"demo.o{number}", placed(f"demo.o{number}"))
    with busy(scene.machines):
        assert scene.run() == 0
    assert scene.sweep() == 3


def test_an_order_that_cannot_be_read_keeps_no_other_from_its_turn(scene: Scene) -> None:
    for number in range(5):
        scene.happened(f"demo.o{number}", placed(f"demo.o{number}"))
    key = keys.event(streams.order("demo.o2"), 1).attributes
    [item] = [scene.store.client.get_item(TableName=scene.store.table, Key=key)["Item"]]
    scene.store.client.put_item(TableName=scene.store.table, Item={**item, "type": {"S": "Unheard"}})
    with pytest.raises(OperationFailed, match="1 orders could not be looked at"):
        scene.sweep()
    assert scene.started()[Saga.ORDER] == ["demo.o0", "demo.o1", "demo.o3", "demo.o4"]
