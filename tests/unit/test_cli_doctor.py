"""The doctor as it is typed, and the commands it names: against AWS as moto imitates it."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import Result

from events import streams
from events.envelope import Recorded, event_id
from events.ordering import CancellationRequested, OrderConfirmed
from handlers.inventory.low_stock import crossing
from handlers.operations.audit.table import Table
from handlers.outbox import Outbox
from handlers.projections.counter_items import counter_key
from handlers.projections.engine.projection import by_stream
from handlers.projections.order_items import view_key
from handlers.projections.registry import PROJECTIONS, named
from handlers.runtime.aws import s3
from handlers.table.event_store import EventStore, recorded
from infra.cli.connection import Connection
from tests.builders.commands import loader, typed
from tests.builders.environment import QUEUE_URL
from tests.builders.event_bus import Bus, throttled
from tests.builders.samples import append, image, placed, queue
from tests.builders.sound_run import STREAMS, TABLE, published

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

BUCKET = "audit"
DAY = "events/2026/01/02/"
ROLE = "arn:aws:iam::123456789012:role/saga"
NOW = ("--grace", "0s", "--still", "0s")
"""Everything is expected to have shown by now."""


@cache
def state_machines() -> SFNClient:
    with patch("botocore.session.create_loader", loader):
        client: SFNClient = Connection(region="us-east-1").client("stepfunctions")
    return client


@cache
def buckets() -> S3Client:
    return s3()


@pytest.fixture
def sagas(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> SFNClient:
    """The state machines, in which executions run without end; and what the stack made besides."""
    client = state_machines()
    arns = {
        name: client.create_state_machine(name=name, definition="{}", roleArn=ROLE)["stateMachineArn"]
        for name in ("OrderSaga", "OrderCancellation")
    }
    outputs = {
        "AuditBucketName": BUCKET,
        "OutboxFunctionName": "outbox",
        "StateMachineArn": arns["OrderSaga"],
        "CancellationStateMachineArn": arns["OrderCancellation"],
    }
    monkeypatch.setattr(Connection, "outputs", outputs)
    buckets().create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(autouse=True)
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens between the first look and the second, instead of waiting."""
    happens: list[Callable[[], object]] = []
    monkeypatch.setattr("infra.cli.doctor.time.sleep", lambda _: [each() for each in happens])
    return happens


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """The bus that the outbox puts on, which is invoked as a function."""
    put_on = Bus()
    monkeypatch.setattr("handlers.outbox.lag", lambda *_, **__: None)  # prints, where there is much to tell
    outbox: Any = Outbox(put_on, queue(), "orders", QUEUE_URL)  # type: ignore[arg-type]

    class Invoked:
        def invoke(self, **request: Any) -> dict[str, Any]:
            assert (request["FunctionName"], request["InvocationType"]) == ("outbox", "RequestResponse")
            try:
                outbox.publish(json.loads(request["Payload"])["Records"])
            except ClientError as failure:
                error = {"errorType": type(failure).__name__, "errorMessage": str(failure)}
                return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(error).encode())}
            return {"StatusCode": 200}

    client = Connection.client
    monkeypatch.setattr(
        Connection, "client", lambda self, service: Invoked() if service == "lambda" else client(self, service)
    )
    return put_on


def hold(store: EventStore, table: Table = TABLE) -> None:
    """Put what a table holds into the one at hand."""
    items: list[dict[str, Any]] = [image(record) for record in table.log.values()]
    items += [{**view_key(order_id, "1"), **attributes(view)} for order_id, view in table.views.items()]
    items += [{**level_key(sku), **attributes(level)} for sku, level in table.levels.items()]
    items += counters(store, table)
    for start in range(0, len(items), 25):
        puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        store.client.batch_write_item(RequestItems={store.table: puts})


def counters(store: EventStore, table: Table) -> Iterator[dict[str, Any]]:
    """What the projections that count have counted of a log."""
    streams = by_stream(table.log.values()).values()
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for name in PROJECTIONS:
        for count in named(name).counted(streams):
            sums[count.view, count.detail][count.name] += count.number
    for (view, detail), numbers in sums.items():
        yield {**counter_key(view, "1", detail), **attributes(numbers)}


def attributes(values: Any) -> dict[str, Any]:
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in values.items()
        if name not in {"PK", "SK"}
    }


def level_key(sku: str) -> dict[str, Any]:
    return {"PK": {"S": f"level#{sku}"}, "SK": {"S": "level"}}


def level(store: EventStore, sku: str) -> dict[str, Any]:
    return store.client.get_item(TableName=store.table, Key=level_key(sku)).get("Item", {})


def set_level(store: EventStore, sku: str, **changes: int) -> None:
    store.client.put_item(TableName=store.table, Item={**level(store, sku), **level_key(sku), **attributes(changes)})


def copied(event_ids: Iterable[str], name: str = "1") -> None:
    """Put events into the audit copy as Firehose does."""
    found = (
        json.dumps({"detail": {"metadata": {"event_id": each, "occurred_at": "2026-01-01T00:00:00Z"}, "data": {}}})
        for each in event_ids
    )
    buckets().put_object(Bucket=BUCKET, Key=DAY + name, Body="".join(found).encode())


def rows(result: Result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


# The doctor


def test_a_sound_pipeline_is_well(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    copied(published(TABLE.log))
    result = typed("doctor")
    assert (result.exit_code, result.stderr) == (0, "")
    counts = (
        f"{len(TABLE.log)} events, {len(published(TABLE.log))} published and copied, 2 orders, 3 views, 2 stock levels"
    )
    assert result.stdout == f"all is well: {counts}\n"


def test_a_terminal_shows_what_is_being_read(
    store: EventStore, sagas: SFNClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(store)
    copied(published(TABLE.log))
    shown = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr("infra.cli.doctor.err", lambda: shown)
    assert typed("doctor").exit_code == 0
    assert isinstance(shown.file, io.StringIO)
    for what in ("items of the table", f"{len(published(TABLE.log))} events of the audit copy"):
        assert what in shown.file.getvalue()


def test_what_is_not_well_is_told_with_the_commands_that_mend_it(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    lost = {event_id("order#well", 2), event_id("order#declined", 1)}
    copied(published(TABLE.log) - lost)
    store.client.delete_item(TableName=store.table, Key=view_key("well", "1"))
    store.client.delete_item(TableName=store.table, Key=view_key("wrong", "1"))
    store.client.delete_item(TableName=store.table, Key=store.key("order#declined", 3))
    set_level(store, "A", available=9)
    result = typed("--region", "us-east-1", "doctor")
    assert result.exit_code == 1, result.output
    assert rows(result) == [
        ["order#declined version 1", "OrderPlaced was appended, and never published"],
        ["order#well version 2", "OrderConfirmed was appended, and never published"],
        [
            "view of order declined",
            "the view has order_version 3, the log 2; the view has status 'CANCELLED', the log 'CANCELLING'",
        ],
        ["view of order well", "has no view"],
        ["view of order wrong", "has no view"],
        ["order declined", "stands still: OrderCancellationStarted was the last, and no order saga runs for it"],
        ["stock of A", "is 9 after 4 changes; the log has 7 after 4 changes"],
        ["pipeline --region us-east-1 republish 'order#declined' 'order#well'"],
        ["pipeline --region us-east-1 resume declined"],
        ["pipeline --region us-east-1 recount A"],
        ["pipeline --region us-east-1 rebuild order_view"],
    ]


def test_what_no_command_mends_is_for_a_person(store: EventStore, sagas: SFNClient) -> None:
    hold(store)
    copied(published(TABLE.log))
    store.client.delete_item(TableName=store.table, Key=store.key("payment#well", 2))
    result = typed("doctor")
    assert ["order well", "captured less refunded is GBP 0.00, it owes GBP 3.50"] in rows(result)
    assert ["pipeline history well"] in rows(result)
    assert "for a person to look into:" in result.stderr


def test_what_is_put_right_meanwhile_is_not_told(
    store: EventStore, sagas: SFNClient, meanwhile: list[Callable[[], object]]
) -> None:
    copied(published(TABLE.log))
    set_level(store, "A", available=7, version=4)
    meanwhile += [lambda: hold(store)]
    assert typed("doctor", *NOW).exit_code == 0


def test_what_differs_otherwise_than_before_is_a_pipeline_at_work(
    store: EventStore, sagas: SFNClient, meanwhile: list[Callable[[], object]]
) -> None:
    hold(store)
    copied(published(TABLE.log))
    set_level(store, "A", available=6, version=5)
    meanwhile += [lambda: set_level(store, "A", available=5, version=6)]
    assert typed("doctor", *NOW).exit_code == 0


def test_an_event_that_arrives_in_the_audit_copy_late_is_published(
    store: EventStore, sagas: SFNClient, meanwhile: list[Callable[[], object]]
) -> None:
    hold(store)
    copied([])
    meanwhile += [lambda: copied(published(TABLE.log), "2")]
    assert typed("doctor", *NOW).exit_code == 0


@pytest.mark.parametrize(("grace", "found"), [("0s", True), ("15m", False)])
def test_an_order_that_was_just_placed_is_given_time(
    store: EventStore, sagas: SFNClient, grace: str, found: bool
) -> None:
    append(store, streams.order("o1"), placed("o1"))
    result = typed("doctor", "--grace", grace, "--still", grace)
    assert (result.exit_code == 1) is found
    assert (["order o1", STILL] in rows(result)) is found


STILL = "stands still: OrderPlaced was the last, and no order saga runs for it"


def test_an_order_whose_saga_runs_does_not_stand_still(store: EventStore, sagas: SFNClient) -> None:
    append(store, streams.order("o1"), placed("o1"))
    append(store, streams.order("o2"), placed("o2"))
    for machine in sagas.list_state_machines()["stateMachines"]:
        sagas.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"order_id": "o1"}')
    result = typed("doctor", *NOW)
    assert ["order o1", STILL] not in rows(result)
    assert ["order o2", STILL] in rows(result)


def test_a_copy_that_is_not_readable_and_a_time_that_is_none_are_told_in_a_line(
    store: EventStore, sagas: SFNClient
) -> None:
    buckets().put_object(Bucket=BUCKET, Key=f"{DAY}broken", Body=b'{"detail": 1}')
    result = typed("doctor")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"s3://{BUCKET}/{DAY}broken is not readable as events")
    result = typed("doctor", "--grace", "soon")
    assert (result.exit_code, result.stderr) == (2, "'soon' is no duration of up to 3650d: 0s, 90m, 24h, 7d\n")


# Republish


def test_streams_are_published_from_the_log(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    result = typed("republish", "payment#well", "order#well")
    assert rows(result) == [["published 2 of payment#well"], ["published 2 of order#well"]]
    assert bus.places == [("payment#well", 1), ("payment#well", 2), ("order#well", 1), ("order#well", 2)]
    assert [entry["DetailType"] for entry in bus.taken][:2] == ["PaymentAuthorized", "PaymentCaptured"]


def test_one_version_is_published_alone(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    assert typed("republish", "payment#well", "--version", "2").exit_code == 0
    assert bus.places == [("payment#well", 2)]


def test_a_long_stream_goes_in_several_calls(
    store: EventStore, sagas: SFNClient, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.cli.republish._BATCH", 2)
    append(store, "stock#B", *STREAMS["stock#B"] * 5)
    assert rows(typed("republish", "stock#B")) == [["published 5 of stock#B"]]
    assert bus.places == [("stock#B", version) for version in range(1, 6)]
    assert bus.sizes == [2, 2, 1]


def test_what_cannot_be_published_is_refused(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    refusals = {
        ("notification#well",): (2, "stay in the log"),
        ("view#order#well",): (2, "is no stream"),
        ("order",): (2, "is no stream"),
        ("order#gone",): (1, "there is no order#gone in the log"),
        ("order#well", "--version", "3"): (1, "order#well has no version 3"),
        ("order#well", "order#declined", "--version", "1"): (2, "--version is of one stream"),
    }
    for arguments, (status, why) in refusals.items():
        result = typed("republish", *arguments)
        assert (result.exit_code, result.stdout) == (status, "")
        assert why in result.stderr
    assert bus.taken == []


def test_an_outbox_that_fails_is_told_of(store: EventStore, sagas: SFNClient, bus: Bus) -> None:
    hold(store)
    failure = throttled()
    failure.response["Error"]["Code"] = "AccessDenied"
    bus.script.append(failure)
    result = typed("republish", "order#well")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("the outbox failed at order#well: ClientError")


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


def test_the_saga_that_an_order_needs_is_started(store: EventStore, sagas: SFNClient) -> None:
    append(store, streams.order("placed"), placed("placed"))
    append(store, streams.order("unheard"), placed("unheard"), OrderConfirmed(order_id="unheard"))
    append(store, streams.cancellation("unheard"), CancellationRequested(order_id="unheard", content_hash="h"))
    result = typed("resume", "placed", "unheard", "placed")
    assert (result.exit_code, result.stderr) == (0, "")
    assert rows(result) == [
        ["started the order saga of order placed"],
        ["started the cancellation saga of order unheard"],
    ]
    assert inputs(sagas) == {"OrderSaga": ["placed"], "OrderCancellation": ["unheard"]}


def test_what_has_ended_or_runs_or_is_unknown_is_left_alone_and_the_others_start(
    store: EventStore, sagas: SFNClient
) -> None:
    hold(store)
    for order_id in ("runs", "stands"):
        append(store, streams.order(order_id), placed(order_id))
    assert typed("resume", "runs").exit_code == 0
    result = typed("resume", "runs", "well", "gone", "stands")
    assert (result.exit_code, result.stdout) == (1, "started the order saga of order stands\n")
    assert result.stderr.splitlines() == [
        "a saga of order runs runs",
        "order well has ended",
        "there is no order gone",
    ]
    assert sorted(inputs(sagas)["OrderSaga"]) == ["runs", "stands"]


# Recount


def test_a_level_is_set_to_what_the_log_says(store: EventStore) -> None:
    hold(store)
    set_level(store, "A", available=12, version=9, threshold=10)
    assert rows(typed("recount", "A", "B")) == [
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
    assert rows(typed("recount", "A")) == [["A: 7 are available, as the log says"]]


def test_a_level_that_is_gone_is_made_anew(store: EventStore) -> None:
    hold(store)
    store.client.delete_item(TableName=store.table, Key=level_key("A"))
    assert rows(typed("recount", "A")) == [["A: was no level, is 7 after 4"]]
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

    monkeypatch.setattr("handlers.table.event_store.recorded", recorded_and_changed)
    result = typed("recount", "A")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "changed while the log was read" in result.stderr
    assert level(store, "A")["available"]["N"] == "3"


def test_what_the_log_does_not_know_or_cannot_tell_is_refused(store: EventStore) -> None:
    hold(store)
    assert typed("recount", "GONE").stderr == "the log knows nothing of GONE\n"
    key = store.key("delivery#d1", 1)
    store.client.put_item(TableName=store.table, Item={**key, "type": {"S": "StockVanished"}})
    result = typed("recount", "A")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "delivery#d1 event#0000000001: the event cannot be read\n"
