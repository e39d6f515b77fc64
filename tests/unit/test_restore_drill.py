"""The restore drill: what differs from the audit copy is named, the erased are erased again, and nothing is left."""

from __future__ import annotations

import signal
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError
from pydantic import TypeAdapter
from typer.testing import Result

from events.envelope import Actor, event_id
from events.ordering import OrderConfirmed
from events.privacy import CustomerErased
from handlers.operations.audit.evidence import Evidence
from handlers.operations.erasure.ledger import Entry, Ledger
from handlers.operations.restore_drill.comparison import Difference, Restored, differences
from handlers.table import keys
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from infra.settings.environment import AdoptSettings
from infra.signals import Ended
from tests.builders.clean_run import (
    CLEAN,
    DECLINED,
    STREAMS,
    TABLE,
    WELL,
    published,
    with_log,
    with_table,
    with_view,
    without,
)
from tests.builders.commands import run_command
from tests.builders.environment import DEAD_LETTER_BUCKET, ERASURE_LEDGER, OUTPUTS, VAULT_TABLE
from tests.builders.orders import placed
from tests.builders.recorded_events import START
from tests.builders.stored_run import BUCKET, DAY, buckets, copied, hold, set_level
from tests.builders.stores import items
from tests.builders.vault import remember, vaulted

PERSONS = frozenset({keys.person("demo.well", "demo.c1"), keys.person("demo.declined", None)})
COPIED = {event_id(*place): place for place in TABLE.log if event_id(*place) in published(TABLE.log)}
LATER = START + timedelta(hours=1)


def restored(evidence: Evidence = CLEAN, **changes: Any) -> Restored:
    """What is restored to a moment long after all that happened."""
    made = Restored(evidence.table, frozenset(), PERSONS, COPIED, START, LATER)
    return replace(made, **changes)


def lost(stream: str, version: int) -> Evidence:
    """The restored table has all but one event."""
    return with_table(log={place: record for place, record in TABLE.log.items() if place != (stream, version)})


def test_what_is_restored_as_it_was_does_not_differ() -> None:
    assert list(differences(restored())) == []


DIFFERENT: dict[str, tuple[Callable[[], Restored], Difference]] = {
    "the last event of a stream is lost": (
        lambda: restored(lost("payment#demo.well", 2)),
        Difference("payment#demo.well version 2", "is in the audit copy, and not in the restored log"),
    ),
    "an event in the middle is lost": (
        lambda: restored(lost("order#demo.declined", 2)),
        Difference("order#demo.declined", "its versions are not 1 to 2: [1, 3]"),
    ),
    "a stream is no history of an order": (
        lambda: restored(with_log("order#demo.well", OrderConfirmed(order_id="demo.well"))),
        Difference("order#demo.well", "its events are in no possible order: OrderConfirmed"),
    ),
    "an event cannot be read": (
        lambda: restored(
            replace(lost("stock#B", 1), table=replace(TABLE, unreadable=["stock#B event#0000000001"])),
        ),
        Difference(
            "stock#B event#0000000001", "the event cannot be read: a version that knows its type has to read it"
        ),
    ),
    "the vault has nobody": (
        lambda: restored(persons=frozenset({keys.person("demo.well", "demo.c1")})),
        Difference("order demo.declined", "nobody is behind it in the restored vault, and it was never erased"),
    ),
    "the audit copy has a hole": (
        lambda: restored(copied=without(COPIED, event_id("payment#demo.well", 2))),
        Difference("payment#demo.well version 2", "PaymentCaptured was appended, and never published"),
    ),
    "money does not balance": (
        lambda: restored(with_log("payment#demo.well", STREAMS["payment#demo.well"][0])),
        Difference("order demo.well", "authorized is GBP 3.50, captured and voided add up to GBP 0.00"),
    ),
    "a level is not what the log says": (
        lambda: restored(with_table(levels={**TABLE.levels, "A": {"available": 6, "version": 4}})),
        Difference("stock of A", "is 6 after 4 changes; the log has 7 after 4 changes"),
    ),
    "a view is not what the log folds to": (
        lambda: restored(with_view("demo.well", total=1)),
        Difference("view of order demo.well", "the view has total 1, the log 350"),
    ),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_differs_is_named(case: str) -> None:
    made, difference = DIFFERENT[case]
    assert difference in list(differences(made()))


def test_an_event_that_cannot_be_read_is_not_missing_as_well() -> None:
    named = [difference.wrong for difference in differences(DIFFERENT["an event cannot be read"][0]())]
    assert "is in the audit copy, and not in the restored log" not in named


def test_what_happened_just_before_the_moment_need_not_have_shown_by_then() -> None:
    just_before: dict[str, Any] = {"settled": START, "copied": {}, "persons": frozenset()}
    assert list(differences(restored(with_table(views={}), **just_before))) == []


def test_an_order_under_way_at_the_moment_need_not_balance() -> None:
    under_way = with_log("order#demo.well", STREAMS["order#demo.well"][0])
    of_order = [each for each in differences(restored(under_way)) if each.about == "order demo.well"]
    assert of_order == []


def test_nobody_is_missed_behind_an_order_that_was_erased() -> None:
    assert list(differences(restored(persons=frozenset(), erased={"demo.well", "demo.declined"}))) == []


# The command


@pytest.fixture
def pipeline(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> EventStore:
    """A pipeline whose tables can be restored, with all its events in the audit copy and nobody in the ledger."""
    buckets().create_bucket(Bucket=BUCKET)
    for bucket in (ERASURE_LEDGER, DEAD_LETTER_BUCKET):
        buckets().create_bucket(Bucket=bucket)
    hold(store)
    remember(store, placed("demo.well", *WELL.lines), WELL.detail)  # type: ignore[arg-type]
    remember(store, placed("demo.declined", *DECLINED.lines, customer=None), DECLINED.detail)  # type: ignore[arg-type]
    copied(published(TABLE.log))
    for table in (store.table, VAULT_TABLE):
        store.client.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    outputs = {**OUTPUTS, "AuditBucketName": BUCKET, "ErasureLedgerName": ERASURE_LEDGER}
    monkeypatch.setattr(Connection, "outputs", outputs)
    monkeypatch.setattr(Connection, "poll_seconds", 0)
    return store


def drilled(store: EventStore) -> list[str]:
    """The tables that drills left."""
    return [name for name in store.client.list_tables()["TableNames"] if "-drill-" in name]


def rows(result: Result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines() if "\t" in line]


def answered(monkeypatch: pytest.MonkeyPatch, event: str, answer: Callable[..., object]) -> None:
    """Let DynamoDB's calls, or its answers, be changed on their way."""
    client = Connection.client

    def changed(self: Connection, service: str) -> Any:
        made = client(self, service)
        if service == "dynamodb":
            made.meta.events.register(event, answer)
        return made

    monkeypatch.setattr(Connection, "client", changed)


def test_a_sound_pipeline_is_restored_compared_and_nothing_of_it_is_left(pipeline: EventStore) -> None:
    before = items(pipeline), vaulted(pipeline)
    result = run_command("restore-drill")
    assert result.exit_code == 0, result.output
    printed = dict(rows(result))
    for took in ("restoring", "applying the ledger", "reading and comparing"):
        assert printed[f"{took} took"].endswith(" s")
    assert printed["events restored"] == str(len(TABLE.log))
    assert printed["events of the audit copy compared"].startswith(f"{len(COPIED)}, up to ")
    assert (printed["orders"], printed["persons erased again"]) == ("2", "0")
    assert result.stderr.splitlines() == [
        "restoring the tables",
        "applying the ledger of erasures",
        "reading them, and comparing them with the audit copy",
        "no differences",
    ]
    assert (drilled(pipeline), (items(pipeline), vaulted(pipeline))) == ([], before)


def test_an_event_that_was_not_restored_is_named(pipeline: EventStore) -> None:
    pipeline.client.delete_item(TableName=pipeline.table, Key=keys.event("payment#demo.well", 2).attributes)
    result = run_command("restore-drill")
    assert result.exit_code == 1
    assert ["payment#demo.well version 2", "is in the audit copy, and not in the restored log"] in rows(result)
    assert drilled(pipeline) == []


def test_many_differences_are_counted_and_shown_on_demand(pipeline: EventStore) -> None:
    for number in range(25):
        set_level(pipeline, f"S{number}", available=1, version=1)
    some, everything = run_command("restore-drill"), run_command("restore-drill", "--all")
    assert "differences: 25" in some.stderr.splitlines()
    assert some.stderr.splitlines()[-1] == "... and 5 more: --all shows them"
    assert len(rows(everything)) - len(rows(some)) == 5


def test_who_was_erased_since_is_erased_from_what_is_restored_and_from_nothing_else(pipeline: EventStore) -> None:
    """The table that is restored here has the person, as one of a moment before the erasure."""
    erased = CustomerErased(order_id="demo.well", customer_id="demo.c1")
    by = Actor(door="command line", principal="arn:aws:iam::123456789012:user/operator")
    Ledger(buckets(), ERASURE_LEDGER).write(Entry(erased=erased, decided_at=LATER, actor=by))
    buckets().put_object(Bucket=DEAD_LETTER_BUCKET, Key="open/order_intake/x", Body=b"of demo.well")
    before = items(pipeline), vaulted(pipeline)
    result = run_command("restore-drill", "--keep")
    assert result.exit_code == 0, result.output
    assert ["persons erased again", "1"] in rows(result)
    assert ["payment tokens erased again", "1"] in rows(result)
    vault, log = sorted(drilled(pipeline))
    assert {key["PK"]["S"] for key in pipeline.client.scan(TableName=vault)["Items"]} == {
        "demo#order#declined",
        "demo.declined",
    }
    [record] = EventStore(pipeline.client, log).read("erasure#demo.well")
    assert (record.event, record.metadata.actor) == (erased, by)
    assert (items(pipeline), vaulted(pipeline)) == before
    assert len(buckets().list_objects_v2(Bucket=DEAD_LETTER_BUCKET)["Contents"]) == 1


def test_what_is_kept_comes_with_the_settings_that_put_it_to_use(pipeline: EventStore) -> None:
    result = run_command("restore-drill", "--keep")
    lines = result.stdout.splitlines()
    settings = "\n".join(lines[lines.index("[adopt]") :]).partition("\nrestored to")[0]
    adopted = tomllib.loads(settings.replace("LABEL", "2026-11-21T10:00:00.000"))["adopt"]
    adopt = TypeAdapter(AdoptSettings).validate_python(adopted)
    assert adopt.orders
    assert adopt.vault
    assert {adopt.orders.name, adopt.vault.name} == set(drilled(pipeline))
    for needed in ("--stream-specification", "--time-to-live", "--point-in-time", "--deletion-protection", "LatestStr"):
        assert any(line.startswith("aws dynamodb ") and needed in line for line in lines)


def test_nothing_is_left_where_the_drill_fails_or_is_ended(
    pipeline: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets().put_object(Bucket=BUCKET, Key=f"{DAY}broken", Body=b'{"detail": 1}')
    result = run_command("restore-drill")
    assert (result.exit_code, drilled(pipeline)) == (1, [])
    assert "is not readable as events" in result.stderr

    def ended(*_: object, **__: object) -> NoReturn:
        assert len(drilled(pipeline)) == 2
        raise Ended(signal.SIGINT)

    monkeypatch.setattr("handlers.operations.restore_drill.drill.read_table", ended)
    assert (run_command("restore-drill").exit_code, drilled(pipeline)) == (130, [])


def test_a_table_that_cannot_be_removed_yet_is_named_with_what_removes_it(
    pipeline: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_use(**_: object) -> tuple[Any, Any]:
        return SimpleNamespace(status_code=400), {"Error": {"Code": "ResourceInUseException", "Message": "being made"}}

    answered(monkeypatch, "before-call.dynamodb.DeleteTable", in_use)
    result = run_command("restore-drill")
    for table in drilled(pipeline):
        assert f"{table} is still being restored" in result.stderr
        assert f"aws dynamodb delete-table --table-name {table}" in result.stderr
    assert len(drilled(pipeline)) == 2


def test_it_waits_until_the_tables_are_there_but_not_for_ever(
    pipeline: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def creating(parsed: dict[str, Any], **_: object) -> None:
        asked.append(parsed["Table"]["TableName"])
        if len(asked) < 4:
            parsed["Table"]["TableStatus"] = "CREATING"

    answered(monkeypatch, "after-call.dynamodb.DescribeTable", creating)
    assert (run_command("restore-drill").exit_code, len(asked)) == (0, 5)
    asked.clear()
    monkeypatch.setattr("handlers.operations.restore_drill.restoring.PATIENCE", timedelta(days=-1))
    result = run_command("restore-drill")
    assert (result.exit_code, drilled(pipeline)) == (1, [])
    assert "not restored within" in result.stderr


def test_a_restore_that_aws_refuses_leaves_nothing(pipeline: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(params: dict[str, Any], **_: object) -> None:
        if VAULT_TABLE in str(params["body"]):
            error = {"Error": {"Code": "LimitExceededException", "Message": "50 restores run"}}
            raise ClientError(error, "RestoreTableToPointInTime")  # type: ignore[arg-type]

    answered(monkeypatch, "before-call.dynamodb.RestoreTableToPointInTime", refused)
    result = run_command("restore-drill")
    assert (result.exit_code, drilled(pipeline)) == (1, [])
    assert "AWS refused RestoreTableToPointInTime: LimitExceededException: 50 restores run" in result.stderr


def test_a_moment_that_cannot_be_restored_is_refused_with_those_that_can(pipeline: EventStore) -> None:
    result = run_command("restore-drill", "--at", "2020-01-01")
    assert (result.exit_code, drilled(pipeline)) == (2, [])
    assert "cannot be restored, but any moment from" in result.stderr


def test_a_table_without_point_in_time_recovery_is_named(pipeline: EventStore) -> None:
    pipeline.client.update_continuous_backups(
        TableName=VAULT_TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    result = run_command("restore-drill")
    assert (result.exit_code, drilled(pipeline)) == (1, [])
    assert result.stderr == f"{VAULT_TABLE} cannot be restored: it has no point-in-time recovery\n"
