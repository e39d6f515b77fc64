"""The doctor as a command, and the commands it names: against AWS as moto imitates it."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from typer.testing import Result

from events import streams
from events.envelope import Recorded, event_id
from events.model import OrderId
from events.ordering import CancellationRequested, OrderConfirmed
from handlers.inventory.low_stock import crossing
from handlers.operations.audit.table import Table
from handlers.outbox import Outbox
from handlers.projections.registry import PROJECTIONS
from handlers.table import keys
from handlers.table.event_store import EventStore, recorded
from infra.cli.connection import Connection
from tests.builders.clean_run import STREAMS, TABLE, published
from tests.builders.commands import loader, run_command
from tests.builders.dead_letter_queue import queue
from tests.builders.environment import OUTPUTS, QUEUE_URL
from tests.builders.event_bus import Bus, throttled
from tests.builders.feeds import FUNCTION_NAMES, create_functions
from tests.builders.orders import placed
from tests.builders.recorded_events import image, record
from tests.builders.stored_run import BUCKET, DAY, buckets, copied, hold, level, level_key, set_level
from tests.builders.stores import append
from tests.engines.memory_table import Memory

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient

ROLE = "arn:aws:iam::123456789012:role/saga"
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""What a synchronous invocation takes. Source: AWS Lambda Developer Guide, quotas."""
NOW = ("--grace", "0s", "--stalled-after", "0s")
"""Everything is expected to have shown by now."""


@cache
def state_machines() -> SFNClient:
    with patch("botocore.session.create_loader", loader):
        client: SFNClient = Connection(region="us-east-1").client("stepfunctions")
    return client


@pytest.fixture
def sagas(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> SFNClient:
    """The state machines, in which executions run without end; and what the stack made besides."""
    client = state_machines()
    arns = {
        name: client.create_state_machine(name=name, definition="{}", roleArn=ROLE)["stateMachineArn"]
        for name in ("OrderSaga", "OrderCancellation")
    }
    outputs = {
        **OUTPUTS,
        "AuditBucketName": BUCKET,
        "OutboxFunctionArn": "outbox",
        "StateMachineArn": arns["OrderSaga"],
        "CancellationStateMachineArn": arns["OrderCancellation"],
        "LiveStateMachineArn": arns["OrderSaga"],
        "LiveCancellationStateMachineArn": arns["OrderCancellation"],
        "Shops": "demo",
        **FUNCTION_NAMES,
    }
    monkeypatch.setattr(Connection, "outputs", outputs)
    buckets().create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between the two readings."""
    monkeypatch.setattr("infra.cli.doctor.time.sleep", lambda _: None)


@pytest.fixture
def invoked() -> list[int]:
    """How many events each invocation of the outbox was given."""
    return []


@pytest.fixture
def bus(invoked: list[int], monkeypatch: pytest.MonkeyPatch) -> Bus:
    """The bus that the outbox puts on, which is invoked as a function."""
    put_on = Bus()
    monkeypatch.setattr("handlers.outbox.lag", lambda *_, **__: None)  # prints, where there is much to tell
    outbox: Any = Outbox(put_on, queue(), "orders", QUEUE_URL)  # type: ignore[arg-type]

    class Invoked:
        def __init__(self, client: LambdaClient) -> None:
            self.get_paginator = client.get_paginator

        def invoke(self, **request: Any) -> dict[str, Any]:
            assert (request["FunctionName"], request["InvocationType"]) == ("outbox", "RequestResponse")
            records = json.loads(request["Payload"])["Records"]
            invoked.append(len(records))
            assert len(request["Payload"]) <= MAX_PAYLOAD_BYTES
            try:
                outbox.publish(records)
            except ClientError as failure:
                error = {"errorType": type(failure).__name__, "errorMessage": str(failure)}
                return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(error).encode())}
            return {"StatusCode": 200}

    client = Connection.client

    def of_outbox(self: Connection, service: str) -> Any:
        made = client(self, service)
        return Invoked(made) if service == "lambda" else made

    monkeypatch.setattr(Connection, "client", of_outbox)
    return put_on


def rows(result: Result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


# The doctor


def test_a_sound_pipeline_has_no_problem(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    copied(published(TABLE.log))
    result = run_command("doctor")
    assert (result.exit_code, result.stderr) == (0, "")
    counts = (
        f"{len(TABLE.log)} events, {len(published(TABLE.log))} published and copied, 2 orders, 3 views, 2 stock levels"
    )
    assert result.stdout == f"no problems: {counts}\n"


def test_what_is_paused_is_said_since_it_has_something_to_do_yet(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    copied(published(TABLE.log))
    create_functions()
    run_command("pause", "order_view")
    result = run_command("doctor")
    assert result.exit_code == 0
    assert result.stderr.startswith("order_view is paused since 20")
    assert result.stderr.endswith(": what it has yet to do counts as a problem here\n")


def test_a_terminal_shows_what_is_being_read(
    store: EventStore, sagas: SFNClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(store)
    copied(published(TABLE.log))
    shown = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr("infra.cli.doctor.err", lambda: shown)
    assert run_command("doctor").exit_code == 0
    assert isinstance(shown.file, io.StringIO)
    for what in ("items of the table", f"{len(published(TABLE.log))} events of the audit copy"):
        assert what in shown.file.getvalue()


def test_problems_are_shown_with_the_commands_that_repair_them(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    lost = {event_id("order#demo.well", 2), event_id("order#demo.declined", 1)}
    copied(published(TABLE.log) - lost)
    store.client.delete_item(TableName=store.table, Key=keys.order_view("demo.well", "1").attributes)
    store.client.delete_item(TableName=store.table, Key=keys.order_view("demo.wrong", "1").attributes)
    store.client.delete_item(TableName=store.table, Key=keys.event("order#demo.declined", 3).attributes)
    set_level(store, "A", available=9)
    result = run_command("--region", "us-east-1", "doctor")
    assert result.exit_code == 1, result.output
    assert rows(result) == [
        ["order#demo.declined version 1", "OrderPlaced was appended, and never published"],
        ["order#demo.well version 2", "OrderConfirmed was appended, and never published"],
        [
            "view of order demo.declined",
            "the view has order_version 3, the log 2; the view has status 'CANCELLED', the log 'CANCELLING'",
        ],
        ["view of order demo.well", "has no view"],
        ["view of order demo.wrong", "has no view"],
        [
            "order demo.declined",
            "is stalled: nothing happened after OrderCancellationStarted, and no order saga runs for it",
        ],
        ["stock of A", "is 9 after 4 changes; the log has 7 after 4 changes"],
        ["pipeline --region us-east-1 republish 'order#demo.declined' 'order#demo.well'"],
        ["pipeline --region us-east-1 resume demo.declined"],
        ["pipeline --region us-east-1 recount A"],
        ["pipeline --region us-east-1 rebuild order_view"],
    ]


def test_what_was_compared_with_a_teams_own_definition_is_said(
    store: EventStore, sagas: SFNClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROJECTIONS, "our_stock", PROJECTIONS["stock_view"])
    hold(store)
    copied(published(TABLE.log))
    result = run_command("doctor")
    assert result.exit_code == 0, result.output
    assert result.stderr == "our_stock: its counters were compared with the projection's own definition\n"


def test_what_no_command_repairs_is_for_a_person(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    copied(published(TABLE.log))
    store.client.delete_item(TableName=store.table, Key=keys.event("payment#demo.well", 2).attributes)
    result = run_command("doctor")
    assert ["order demo.well", "captured less refunded is GBP 0.00, it owes GBP 3.50"] in rows(result)
    assert ["pipeline history demo.well"] in rows(result)
    assert "for a person to check:" in result.stderr


@pytest.mark.parametrize(("stalled_after", "found"), [("0s", True), ("15m", False)])
def test_an_order_that_was_just_placed_is_given_time(
    store: EventStore, sagas: SFNClient, stalled_after: str, found: bool
) -> None:
    append(store, streams.order("demo.o1"), placed("demo.o1"))
    result = run_command("doctor", "--grace", "15m", "--stalled-after", stalled_after)
    assert (result.exit_code == 1) is found
    assert (["order demo.o1", STALLED] in rows(result)) is found


STALLED = "is stalled: nothing happened after OrderPlaced, and no order saga runs for it"


def test_an_order_whose_saga_runs_is_not_stalled(store: EventStore, sagas: SFNClient) -> None:
    append(store, streams.order("demo.o1"), placed("demo.o1"))
    append(store, streams.order("demo.o2"), placed("demo.o2"))
    for machine in sagas.list_state_machines()["stateMachines"]:
        sagas.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"order_id": "demo.o1"}')
    result = run_command("doctor", *NOW)
    assert ["order demo.o1", STALLED] not in rows(result)
    assert ["order demo.o2", STALLED] in rows(result)


def test_a_copy_that_is_not_readable_and_a_time_that_is_none_are_errors_of_one_line(
    store: EventStore, sagas: SFNClient
) -> None:
    buckets().put_object(Bucket=BUCKET, Key=f"{DAY}broken", Body=b'{"detail": 1}')
    result = run_command("doctor")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"s3://{BUCKET}/{DAY}broken is not readable as events")
    result = run_command("doctor", "--grace", "soon")
    assert (result.exit_code, result.stderr) == (2, "'soon' is no duration of up to 3650d: 0s, 90m, 24h, 7d\n")


@contextmanager
def ruin(store: EventStore, *, events: int, orders: int) -> Iterator[None]:
    """A table with so many events that were never published, among them orders without a view, a saga or stock."""
    low, order = STREAMS["stock#B"][0], placed()
    log = [record(low, f"stock#B{number}", 1) for number in range(events - orders)]
    for order_id in (f"demo.o{number}" for number in range(orders)):
        log.append(record(order.model_copy(update={"order_id": order_id}), streams.order(order_id), 1))
    memory = Memory()
    memory.put(map(image, log))
    with patch.object(Connection, "store", store), memory.serving():
        yield


def test_of_31_000_problems_the_first_of_each_kind_are_shown(store: EventStore, sagas: SFNClient) -> None:
    with ruin(store, events=31_000, orders=400):
        result = run_command("doctor", *NOW)
    assert result.exit_code == 1
    shown = [line for line in result.stdout.splitlines() if "\t" in line]
    commands = [line for line in result.stdout.splitlines() if "\t" not in line]
    assert [line.split("\t")[1].partition(":")[0] for line in shown] == [
        *["OrderPlaced was appended, and never published"] * 5,
        *["has no view"] * 5,
        "the view has 0 for placed, the log 400",
        *["is stalled"] * 5,
    ]
    assert [line.split()[1] for line in commands] == [*["republish"] * 5, *["resume"] * 5, *["rebuild"] * 2]
    assert result.stderr.splitlines() == [
        "problems: 31,801 (31,000 events, 0 published and copied, 400 orders, 0 views, 0 stock levels)",
        "events that were never published: 31,000 (republish)",
        "... and 30,995 more like these: --all shows them",
        "order views that differ from the log: 400 (rebuild)",
        "... and 395 more like these: --all shows them",
        "counting views that differ from the log: 1 (rebuild)",
        "stalled orders: 400 (resume)",
        "... and 395 more like these: --all shows them",
        "to repair:",
        "... and 1,545 more like these: --all shows them",
        "... and 15 more like these: --all shows them",
    ]


def test_every_problem_is_shown_on_request(store: EventStore, sagas: SFNClient) -> None:
    with ruin(store, events=1_000, orders=100):
        result = run_command("doctor", "--all", *NOW)
    assert result.exit_code == 1
    assert "more like these" not in result.stderr
    assert sum("\t" in line for line in result.stdout.splitlines()) == 1_000 + 100 + 1 + 100
    commands = [shlex.split(line) for line in result.stdout.splitlines() if "\t" not in line]
    republished = [stream for _, command, *given in commands if command == "republish" for stream in given]
    assert len(set(republished)) == len(republished) == 1_000


# Republish


def test_streams_are_published_from_the_log(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    result = run_command("republish", "payment#demo.well", "order#demo.well")
    assert rows(result) == [["published 2 of payment#demo.well"], ["published 2 of order#demo.well"]]
    assert bus.places == [
        ("payment#demo.well", 1),
        ("payment#demo.well", 2),
        ("order#demo.well", 1),
        ("order#demo.well", 2),
    ]
    assert [entry["DetailType"] for entry in bus.taken][:2] == ["PaymentAuthorized", "PaymentCaptured"]


def test_one_version_is_published_alone(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    assert run_command("republish", "payment#demo.well", "--version", "2").exit_code == 0
    assert bus.places == [("payment#demo.well", 2)]


def test_a_long_stream_goes_in_several_calls(store: EventStore, sagas: SFNClient, bus: Bus, invoked: list[int]) -> None:
    log = [record(STREAMS["stock#B"][0], "stock#B", version) for version in range(1, 206)]
    hold(store, Table({(each.stream, each.version): each for each in log}))
    assert rows(run_command("republish", "stock#B")) == [["published 205 of stock#B"]]
    assert bus.places == [("stock#B", version) for version in range(1, 206)]
    assert invoked == [100, 100, 5]


def test_what_cannot_be_published_is_refused(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    refusals = {
        ("notification#demo.well",): (2, "stay in the log"),
        ("view#order#demo.well",): (2, "is no stream"),
        ("order",): (2, "is no stream"),
        ("order#demo.gone",): (1, "there is no order#demo.gone in the log"),
        ("order#demo.well", "--version", "3"): (1, "order#demo.well has no version 3"),
        ("order#demo.well", "order#demo.declined", "--version", "1"): (2, "--version is of one stream"),
    }
    for arguments, (status, why) in refusals.items():
        result = run_command("republish", *arguments)
        assert (result.exit_code, result.stdout) == (status, "")
        assert why in result.stderr
    assert bus.taken == []


def test_an_outbox_that_fails_is_an_error_of_one_line(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    failure = throttled()
    failure.response["Error"]["Code"] = "AccessDenied"
    bus.script.append(failure)
    result = run_command("republish", "order#demo.well")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("the outbox failed at order#demo.well: ClientError")


# Resume


def inputs(sagas: SFNClient) -> dict[str, list[str]]:
    """For which orders each state machine was started."""
    return {
        machine["name"]: [
            json.loads(sagas.describe_execution(executionArn=each["executionArn"])["input"])["order_id"]
            for each in sagas.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        ]
        for machine in sagas.list_state_machines()["stateMachines"]
    }


def executions(sagas: SFNClient) -> list[Any]:
    """The executions of the order saga."""
    [machine] = [each for each in sagas.list_state_machines()["stateMachines"] if each["name"] == "OrderSaga"]
    return list(sagas.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"])


def test_the_saga_that_an_order_needs_is_started(store: EventStore, sagas: SFNClient) -> None:
    append(store, streams.order("demo.placed"), placed("demo.placed"))
    append(store, streams.order("demo.unheard"), placed("demo.unheard"), OrderConfirmed(order_id="demo.unheard"))
    append(store, streams.cancellation("demo.unheard"), CancellationRequested(order_id="demo.unheard"))
    result = run_command("resume", "demo.placed", "demo.unheard", "placed")
    assert (result.exit_code, result.stderr) == (0, "")
    assert rows(result) == [
        ["started the order saga of order demo.placed"],
        ["started the cancellation saga of order demo.unheard"],
    ]
    assert inputs(sagas) == {"OrderSaga": ["demo.placed"], "OrderCancellation": ["demo.unheard"]}


def test_each_time_an_order_is_resumed_has_the_next_number_and_no_name_is_an_orders_id(
    store: EventStore, sagas: SFNClient
) -> None:
    """An order's own id may end in a number, too: its first saga has that name."""
    append(store, streams.order("demo.o"), placed("demo.o"))
    longest = f"demo.{'x' * 47}"
    append(store, streams.order(longest), placed(longest))
    for _ in range(2):
        assert run_command("resume", "demo.o", longest).exit_code == 0
        for each in executions(sagas):
            sagas.stop_execution(executionArn=each["executionArn"])
    names = [each["name"] for each in executions(sagas)]
    assert sorted(names) == [
        *(f"demo.o-{number:058}" for number in (1, 2)),
        *(f"{longest}-{number:012}" for number in (1, 2)),
    ]
    assert {len(name) for name in names} == {65}
    with pytest.raises(ValidationError):
        TypeAdapter(OrderId).validate_python(names[0])


def test_what_has_ended_or_runs_or_is_unknown_is_left_alone_and_the_others_start(
    store: EventStore, sagas: SFNClient
) -> None:
    hold(store)
    for order_id in ("demo.runs", "demo.stalled"):
        append(store, streams.order(order_id), placed(order_id))
    assert run_command("resume", "demo.runs").exit_code == 0
    result = run_command("resume", "demo.runs", "demo.well", "demo.gone", "demo.stalled")
    assert (result.exit_code, result.stdout) == (1, "started the order saga of order demo.stalled\n")
    assert result.stderr.splitlines() == [
        "order demo.runs has a saga running",
        "order demo.well has ended",
        "there is no order demo.gone",
    ]
    assert sorted(inputs(sagas)["OrderSaga"]) == ["demo.runs", "demo.stalled"]


# Recount


def test_a_level_is_set_to_what_the_log_says(store: EventStore) -> None:
    hold(store)
    set_level(store, "A", available=12, version=9, threshold=10)
    assert rows(run_command("recount", "A", "B")) == [
        ["A: was 12 after 9 changes, is 7 after 4"],
        ["B: 0 are available, as the log says"],
    ]
    assert {name: value["N"] for name, value in level(store, "A").items() if "N" in value} == {
        **{"available": "7", "version": "4"},
        **{"previous": "12", "threshold": "10"},
    }
    low = crossing(level(store, "A"))
    assert low is not None
    assert (low.available, low.level_version) == (7, 4)
    assert rows(run_command("recount", "A")) == [["A: 7 are available, as the log says"]]


def test_a_level_that_is_gone_is_made_anew(store: EventStore) -> None:
    hold(store)
    store.client.delete_item(TableName=store.table, Key=level_key("A"))
    assert rows(run_command("recount", "A")) == [["A: was no level, is 7 after 4"]]
    assert crossing(level(store, "A")) is None


@pytest.mark.parametrize("before", [{"available": 6, "version": 4}, {}])
def test_a_level_that_changes_while_the_log_is_read_is_left_alone(
    store: EventStore, monkeypatch: pytest.MonkeyPatch, before: dict[str, int]
) -> None:
    hold(store)
    store.client.delete_item(TableName=store.table, Key=level_key("A"))
    if before:
        set_level(store, "A", **before)

    def recorded_and_changed(item: Any) -> Recorded:
        set_level(store, "A", available=3, version=5)
        return recorded(item)

    monkeypatch.setattr("handlers.operations.recount.recorded", recorded_and_changed)
    result = run_command("recount", "A")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "changed while the log was read" in result.stderr
    assert level(store, "A")["available"]["N"] == "3"


def test_what_the_log_does_not_know_or_cannot_show_is_refused(store: EventStore) -> None:
    hold(store)
    assert run_command("recount", "GONE").stderr == "the log has no event about GONE\n"
    key = keys.event("delivery#d1", 1).attributes
    store.client.put_item(TableName=store.table, Item={**key, "type": {"S": "StockVanished"}})
    result = run_command("recount", "A")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "delivery#d1 event#0000000001: the event cannot be read\n"
