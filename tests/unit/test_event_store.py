"""The event store: one winner per version, answers from the log, and trouble that says whether to try again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as boto
from botocore.stub import Stubber

from events.envelope import Actor, Recorded, event_id
from events.integration import MAX_LINES
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from handlers.retry_policy import Contended, Retryable, Throttled, Unreachable
from handlers.table.event_store import (
    Appended,
    ConditionsFailed,
    Conflict,
    EventStore,
    Existing,
    New,
    recorded,
)
from tests.builders.environment import TABLE
from tests.builders.orders import line, placed
from tests.builders.recorded_events import image
from tests.builders.stores import calls, events_of, items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WEB = Actor(door="bus", principal="demo/com.example.web")
OPERATOR = "arn:aws:iam::123456789012:user/operator"
CONFIRMED = OrderConfirmed(order_id="demo.o1")
STARTED = OrderCancellationStarted(order_id="demo.o1", reason="PaymentDeclined")
CANCELLED = OrderCancelled(order_id="demo.o1", reason="PaymentDeclined")
RETRYABLE = [
    ("ProvisionedThroughputExceededException", Throttled),
    ("RequestLimitExceeded", Throttled),
    ("ThrottlingException", Throttled),
    ("InternalServerError", Throttled),
    ("TransactionConflictException", Contended),
]


def append(store: EventStore, version: int, event: DomainEvent, stream: str = "order#demo.o1") -> Recorded:
    return store.append(stream, version, event, correlation_id="demo.o1", causation_id="c1")


def append_with(
    store: EventStore, version: int, event: DomainEvent, changes: Sequence[TransactWriteItemTypeDef]
) -> Recorded:
    return store.append_with("order#demo.o1", version, event, changes, correlation_id="demo.o1", causation_id="c1")


def put(key: str, *, unless_there: bool = False) -> TransactWriteItemTypeDef:
    change: TransactWriteItemTypeDef = {"Put": {"TableName": TABLE, "Item": {"PK": {"S": key}, "SK": {"S": "x"}}}}
    if unless_there:
        change["Put"]["ConditionExpression"] = "attribute_not_exists(PK)"
    return change


def test_what_is_appended_is_read_back_in_order(store: EventStore) -> None:
    events = [placed(), STARTED, CANCELLED]
    appended = [append(store, version, event) for version, event in enumerate(events, start=1)]
    assert store.read("order#demo.o1") == appended
    assert [record.event for record in appended] == events
    assert [record.version for record in store.read("order#demo.o1", after=1)] == [2, 3]
    assert store.last("order#demo.o1") == appended[-1]


def test_streams_are_apart(store: EventStore) -> None:
    append(store, 1, placed("demo.o1"))
    append(store, 1, placed("demo.o10"), "order#demo.o10")
    assert [record.stream for record in store.read("order#demo.o1")] == ["order#demo.o1"]
    assert store.read("order#demo.o") == []
    assert store.last("order#demo.o") is None


def test_metadata_has_the_place_of_the_event_and_what_it_follows_from(store: EventStore) -> None:
    at_noon = EventStore(store.client, store.table, WEB, clock=lambda: NOON)
    metadata = append(at_noon, 1, placed()).metadata
    assert metadata == store.read("order#demo.o1")[0].metadata
    assert metadata.model_dump() == {
        "event_id": event_id("order#demo.o1", 1),
        "stream": "order#demo.o1",
        "version": 1,
        "schema_version": 1,
        "occurred_at": NOON,
        "correlation_id": "demo.o1",
        "causation_id": "c1",
        "actor": {"door": "bus", "principal": "demo/com.example.web"},
        "redriven_by": None,
    }


def test_an_event_is_one_item_whose_json_goes_out_as_it_is(store: EventStore) -> None:
    append(store, 1, CONFIRMED)
    [item] = items(store)
    assert {name: value for name, value in item.items() if name != "metadata"} == {
        "PK": {"S": "order#demo.o1"},
        "SK": {"S": "event#0000000001"},
        "type": {"S": "OrderConfirmed"},
        "schema_version": {"N": "1"},
        "data": {"S": '{"order_id":"demo.o1"}'},
    }
    assert json.loads(item["metadata"]["S"])["stream"] == "order#demo.o1"


def test_a_store_appends_on_behalf_of_whoever_it_is_told(store: EventStore) -> None:
    for version, same in enumerate([store.on_behalf_of(WEB), store.on_behalf_of(WEB, OPERATOR), store], start=1):
        append(same, version, STARTED)
    first, redriven, own = [json.loads(item["metadata"]["S"]) for item in items(store)]
    assert first["actor"] == redriven["actor"] == WEB.model_dump()
    assert "redriven_by" not in first
    assert redriven["redriven_by"] == OPERATOR
    assert own["actor"] != WEB.model_dump(), "the store itself stays whose it was"
    assert "redriven_by" not in own


def test_a_redriven_message_is_caused_by_whoever_caused_it_before(store: EventStore) -> None:
    web = store.on_behalf_of(WEB)
    metadata = append(web.redriven(OPERATOR), 1, STARTED).metadata
    assert (metadata.actor, metadata.redriven_by) == (WEB, OPERATOR)
    metadata = append(web.redriven(None), 2, CANCELLED).metadata
    assert (metadata.actor, metadata.redriven_by) == (WEB, None)


def test_whoever_else_delivers_an_event_it_keeps_its_first_actor(store: EventStore) -> None:
    context = {"correlation_id": "demo.o1", "causation_id": "c1"}
    first = store.on_behalf_of(WEB).append_if_absent("order#demo.o1", 1, CONFIRMED, **context)
    assert store.append_if_absent("order#demo.o1", 1, CONFIRMED, **context) == Existing(first.record)
    again = store.on_behalf_of(WEB, OPERATOR)
    assert again.append_if_absent("order#demo.o1", 1, CONFIRMED, **context) == Existing(first.record)
    [record] = store.read("order#demo.o1")
    assert (record.metadata.actor, record.metadata.redriven_by) == (WEB, None)


def test_a_store_of_nobody_reads_and_refuses_to_append(store: EventStore) -> None:
    append(store, 1, STARTED)
    before = items(store)
    nobodys = EventStore(store.client, store.table)
    assert nobodys.read("order#demo.o1") == store.read("order#demo.o1")
    assert nobodys.last("order#demo.o1") == store.last("order#demo.o1")
    context = {"correlation_id": "demo.o1", "causation_id": "c1"}
    ways: list[Callable[[], object]] = [
        lambda: append(nobodys, 2, CONFIRMED),
        lambda: append_with(nobodys, 2, CONFIRMED, [put("level#A")]),
        lambda: nobodys.append_together([New("order#demo.o1", 2, CONFIRMED)], **context),
        lambda: nobodys.append_if_absent("order#demo.o1", 2, CONFIRMED, **context),
        lambda: nobodys.execute("order#demo.o1", lambda _: [CONFIRMED], **context),
    ]
    for way in ways:
        with pytest.raises(TypeError, match="nobody to append OrderConfirmed for: this store only reads"):
            way()
    assert items(store) == before


def test_a_taken_version_hands_back_the_existing_event(store: EventStore) -> None:
    first = append(store, 2, CONFIRMED)
    with pytest.raises(Conflict, match=r"order#demo\.o1 has OrderConfirmed at version 2") as conflict:
        append(store, 2, STARTED)
    assert conflict.value.existing == first
    assert events_of(store, "order#demo.o1") == [CONFIRMED]


LARGEST = placed("demo.o1", *[line(f"SKU-{number:060}", 1_000_000, 10**6) for number in range(MAX_LINES)])
"""As large as an order may be; the words of its lines are not in it."""


def test_an_event_of_hundreds_of_lines_is_one_item(store: EventStore) -> None:
    assert len(LARGEST.model_dump_json()) > 110_000
    append(store, 1, LARGEST)
    assert events_of(store, "order#demo.o1") == [LARGEST]


def test_reads_are_consistent(store: EventStore) -> None:
    """A decision rests on them; moto would not show the difference."""
    asked: list[bool] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(json.loads(params["body"]).get("ConsistentRead", False))

    store.client.meta.events.register("before-call.dynamodb.Query", note)
    try:
        store.read("order#demo.o1")
        store.last("order#demo.o1")
    finally:
        store.client.meta.events.unregister("before-call.dynamodb.Query", note)
    assert asked == [True, True]


def test_long_streams_are_read_page_by_page(store: EventStore) -> None:
    for version in range(1, 12):
        append(store, version, LARGEST)
    with calls(store.client) as made:
        assert [record.version for record in store.read("order#demo.o1")] == list(range(1, 12))
    assert len(made) > 1


def test_an_event_and_its_changes_are_written_together(store: EventStore) -> None:
    new = append_with(store, 1, CONFIRMED, [put("a"), put("b")])
    assert store.read("order#demo.o1") == [new]
    assert [item["PK"]["S"] for item in items(store)] == ["a", "b", "order#demo.o1"]


def test_a_taken_version_leaves_the_changes_undone(store: EventStore) -> None:
    first = append(store, 1, CONFIRMED)
    with pytest.raises(Conflict) as conflict:
        append_with(store, 1, STARTED, [put("a")])
    assert conflict.value.existing == first
    assert len(items(store)) == 1


def test_failed_conditions_are_told_by_their_place(store: EventStore) -> None:
    append_with(store, 1, CONFIRMED, [put("b"), put("d")])
    with pytest.raises(ConditionsFailed) as failed:
        append_with(store, 2, STARTED, [put(key, unless_there=True) for key in "abcd"])
    assert failed.value.failed == [1, 3]
    assert events_of(store, "order#demo.o1") == [CONFIRMED]


def test_events_of_two_streams_are_appended_together_or_not_at_all(store: EventStore) -> None:
    def append_both(order: int, payment: int) -> list[Recorded]:
        both = [New("order#demo.o1", order, STARTED), New("payment#demo.o1", payment, CONFIRMED)]
        return store.append_together(both, correlation_id="demo.o1", causation_id="c1")

    appended = append_both(1, 1)
    assert [*store.read("order#demo.o1"), *store.read("payment#demo.o1")] == appended
    for order, payment, taken in ((1, 2, appended[0]), (2, 1, appended[1])):
        with pytest.raises(Conflict) as conflict:
            append_both(order, payment)
        assert conflict.value.existing == taken
    assert len(items(store)) == 2


def test_a_taken_version_counts_more_than_failed_conditions(store: EventStore) -> None:
    append_with(store, 1, CONFIRMED, [put("a")])
    with pytest.raises(Conflict):
        append_with(store, 1, STARTED, [put("a", unless_there=True)])


def cancelled(*codes: str, item: dict[str, Any] | None = None) -> dict[str, Any]:
    reasons: list[dict[str, Any]] = [{"Code": code} for code in codes]
    if item:
        reasons[-1]["Item"] = item
    return {"CancellationReasons": reasons}


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (("TransactionConflict", "None", "None"), Contended),
        (("None", "None", "TransactionConflict"), Contended),
        (("ConditionalCheckFailed", "TransactionConflict", "None"), Contended),
        (("ThrottlingError", "None", "None"), Throttled),
        (("None", "ProvisionedThroughputExceeded", "None"), Throttled),
        (("ConditionalCheckFailed", "None", "TransactionConflict"), Contended),
    ],
)
def test_another_transaction_on_the_same_items_means_try_again(
    store: EventStore, codes: tuple[str, ...], error: type[Retryable]
) -> None:
    """Whether the conditions would have held cannot be known then: refusing for them would be wrong."""
    with Stubber(store.client) as stub:
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=cancelled(*codes))
        with pytest.raises(error, match="the transaction met"):
            append_with(store, 1, CONFIRMED, [put("a"), put("b")])


def test_a_taken_version_is_an_answer_also_beside_a_conflict(store: EventStore) -> None:
    append(store, 1, CONFIRMED)
    reasons = cancelled("TransactionConflict", "ConditionalCheckFailed", item=items(store)[0])
    with Stubber(store.client) as stub:
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)
        with pytest.raises(Conflict) as conflict:
            append_with(store, 1, STARTED, [put("a")])
    assert conflict.value.existing.event == CONFIRMED


def test_any_other_reason_of_a_cancelled_transaction_is_a_bug(store: EventStore) -> None:
    with Stubber(store.client) as stub:
        stub.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields=cancelled("ValidationError", "ConditionalCheckFailed", "None"),
        )
        with pytest.raises(boto.ClientError):
            append_with(store, 1, CONFIRMED, [put("a"), put("b")])


@pytest.mark.parametrize(("code", "error"), RETRYABLE)
@pytest.mark.parametrize("operation", ["query", "put_item", "transact_write_items"])
def test_throttling_means_try_again(store: EventStore, operation: str, code: str, error: type[Retryable]) -> None:
    does: dict[str, Callable[[], object]] = {
        "query": lambda: store.read("order#demo.o1"),
        "put_item": lambda: append(store, 1, CONFIRMED),
        "transact_write_items": lambda: append_with(store, 1, CONFIRMED, [put("a")]),
    }
    with Stubber(store.client) as stub:
        stub.add_client_error(operation, code, "busy")
        with pytest.raises(error, match="busy"):
            does[operation]()


@pytest.mark.parametrize(
    "trouble",
    [
        boto.EndpointConnectionError(endpoint_url="https://dynamodb"),
        boto.ReadTimeoutError(endpoint_url="https://dynamodb"),
        boto.ConnectTimeoutError(endpoint_url="https://dynamodb"),
        boto.ConnectionClosedError(endpoint_url="https://dynamodb"),
    ],
    ids=repr,
)
def test_no_way_to_dynamodb_means_try_again(store: EventStore, trouble: Exception) -> None:
    def broken(**_: Any) -> None:
        raise trouble

    store.client.meta.events.register("before-call", broken)
    try:
        with pytest.raises(Unreachable):
            store.read("order#demo.o1")
    finally:
        store.client.meta.events.unregister("before-call", broken)


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"])
def test_what_is_wrong_with_the_request_stays_what_it_is(store: EventStore, code: str) -> None:
    with Stubber(store.client) as stub:
        stub.add_client_error("put_item", code)
        with pytest.raises(boto.ClientError, match=code):
            append(store, 1, CONFIRMED)


def test_appending_if_absent_says_whether_the_event_was_appended_or_what_is_there_instead(store: EventStore) -> None:
    context = {"correlation_id": "demo.o1", "causation_id": "c1"}
    appended = store.append_if_absent("order#demo.o1", 2, CONFIRMED, **context)
    [record] = store.read("order#demo.o1")
    assert appended == Appended(record)
    assert record.event == CONFIRMED
    assert store.append_if_absent("order#demo.o1", 2, CONFIRMED, **context) == Existing(record)
    assert store.append_if_absent("order#demo.o1", 2, STARTED, **context) == Existing(record)
    assert store.read("order#demo.o1") == [record]


def execute(store: EventStore, *seen: int, first: Sequence[DomainEvent] = (), decided: Sequence[DomainEvent]) -> None:
    """Execute a command that appends what was decided; the first time it decides, others append theirs meanwhile."""
    read: list[int] = []

    def decide(history: Sequence[Recorded]) -> Sequence[DomainEvent]:
        if not read:
            for version, event in enumerate(first, start=len(history) + 1):
                append(store, version, event)
        read.append(len(history))
        return decided

    store.execute("order#demo.o1", decide, correlation_id="demo.o1", causation_id="c1")
    assert read == list(seen)


def test_a_command_appends_what_it_decides_after_what_is_there(store: EventStore) -> None:
    append(store, 1, placed())
    execute(store, 1, decided=[STARTED, CANCELLED])
    assert events_of(store, "order#demo.o1")[1:] == [STARTED, CANCELLED]


def test_a_command_may_decide_nothing(store: EventStore) -> None:
    execute(store, 0, decided=[])
    assert items(store) == []


def test_a_command_reads_and_decides_again_where_another_was_quicker(store: EventStore) -> None:
    append(store, 1, placed())
    execute(store, 1, 2, first=[STARTED], decided=[CANCELLED])
    assert events_of(store, "order#demo.o1")[1:] == [STARTED, CANCELLED]


def test_a_command_that_loses_every_race_is_to_be_tried_again(store: EventStore) -> None:
    def decide(history: Sequence[Recorded]) -> Sequence[DomainEvent]:
        append(store, len(history) + 1, STARTED)
        return [CANCELLED]

    with pytest.raises(Contended, match=r"order#demo\.o1 is being written by too many others"):
        store.execute("order#demo.o1", decide, correlation_id="demo.o1", causation_id="c1")
    assert CANCELLED not in events_of(store, "order#demo.o1")


@pytest.mark.parametrize(
    "changed",
    [
        {"type": {"S": "OrderForgotten"}},
        {"data": {"S": "{}"}},
        {"data": {"S": "not JSON"}},
        {"SK": {"S": "level"}},
        {"type": None},
    ],
)
def test_what_is_no_event_is_refused(store: EventStore, changed: dict[str, Any]) -> None:
    append(store, 1, placed())
    item = {name: value for name, value in {**items(store)[0], **changed}.items() if value}
    with pytest.raises((KeyError, ValueError)):
        recorded(item)


def test_an_item_is_the_event_again(store: EventStore) -> None:
    new = append(store, 1, placed())
    [item] = items(store)
    assert recorded(item) == new
    assert item == image(new)
