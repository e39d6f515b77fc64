"""The publishers' client: whatever the bus does, every event is taken by it once, or named with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from events.integration import MAX_CANONICAL_BYTES, OrderCancellationRequested, OrderSubmitted, StockDelivered
from events.inventory import DeliveredLine
from events.model import Model
from events.ordering import OrderConfirmed
from events.publishing.entries import MAX_BYTES, MAX_ENTRIES, batches
from events.publishing.publisher import TOO_LARGE, Entry, Outcome, Publisher, Unpublished
from handlers.intake.validation import canonical
from handlers.runtime import aws
from tests.builders.event_bus import TAKEN, Bus, size, throttled
from tests.builders.orders import line, order

ATTEMPTS = 4


def submitted(order_id: str = "o1", *lines: dict[str, Any], **changed: Any) -> OrderSubmitted:
    return OrderSubmitted.model_validate_json(json.dumps(order(order_id, *lines, **changed)))


def cancelled(number: int) -> OrderCancellationRequested:
    return OrderCancellationRequested(order_id=f"o{number}")


def of_bytes(count: int) -> OrderSubmitted:
    """An order whose detail has so many bytes."""
    lines = [line(f"sku-{number}", description="x" * 256) for number in range(700)]
    room = count - len(submitted("o1", *lines).model_dump_json(exclude_none=True)) + 256 * len(lines)
    for each in lines:
        each["description"] = "x" * min(room, 256)
        room -= len(each["description"])
    return submitted("o1", *lines)


def publisher(bus: Any, waits: list[float] | None = None) -> Publisher:
    waited = [] if waits is None else waits
    return Publisher(bus, "intake", "shop", attempts=ATTEMPTS, sleep=waited.append)


def ids(bus: Bus) -> list[str]:
    return [json.loads(entry["Detail"])["order_id"] for entry in bus.taken]


def refused(code: str = "AccessDeniedException") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, "PutEvents")


# What is sent


def test_events_go_out_as_the_contract_has_them() -> None:
    bus = Bus()
    delivered = StockDelivered(delivery_id="d1", lines=(DeliveredLine(sku="A", quantity=3),))
    assert publisher(bus).publish([submitted(), delivered]) == 2
    assert bus.taken == [
        {"EventBusName": "intake", "Source": "shop", "DetailType": detail_type, "Detail": detail}
        for detail_type, detail in (
            ("OrderSubmitted", submitted().model_dump_json(exclude_none=True)),
            ("StockDelivered", '{"delivery_id":"d1","lines":[{"sku":"A","quantity":3}]}'),
        )
    ]


def test_a_bus_takes_them() -> None:
    """A real client, and moto's bus with a queue behind it."""
    with mock_aws():
        events, sqs = aws.eventbridge(), aws.sqs()
        events.create_event_bus(Name="intake")
        events.put_rule(Name="all", EventBusName="intake", EventPattern='{"source": ["shop"]}')
        url = sqs.create_queue(QueueName="all")["QueueUrl"]
        arn = "arn:aws:sqs:us-east-1:123456789012:all"
        events.put_targets(Rule="all", EventBusName="intake", Targets=[{"Id": "1", "Arn": arn}])
        assert Publisher(events, "intake", "shop").publish([submitted()]) == 1
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    event = json.loads(message["Body"])
    assert OrderSubmitted.model_validate_json(json.dumps(event["detail"])) == submitted()
    assert (event["detail-type"], event["source"]) == ("OrderSubmitted", "shop")


def test_only_integration_events_are_published() -> None:
    bus = Bus()
    with pytest.raises(TypeError, match="OrderConfirmed is no integration event"):
        publisher(bus).publish([OrderConfirmed(order_id="demo.o1")])
    assert bus.taken == []


def test_what_no_model_allows_can_be_sent_on_purpose() -> None:
    bus = Bus()
    details: list[Any] = [order("two words", line("A", 0)), ["nothing"], "é"]
    publisher(bus).publish(Entry.untyped("OrderSubmitted", detail) for detail in details)
    assert [json.loads(entry["Detail"]) for entry in bus.taken] == details


def test_no_more_than_a_call_is_held() -> None:
    taken = 0

    def source() -> Iterator[OrderCancellationRequested]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield cancelled(number)

    bus = Bus()
    outcomes = publisher(bus).outcomes(source())
    assert next(outcomes).sent
    assert (len(bus.taken), taken) == (MAX_ENTRIES, MAX_ENTRIES + 1)


# What fails


def test_entries_that_fail_inside_an_accepted_call_are_put_again_alone() -> None:
    bus, waits = Bus([[1, 2], [0]]), list[float]()
    outcomes = list(publisher(bus, waits).outcomes(map(cancelled, range(3))))
    assert [outcome.event.order_id for outcome in outcomes if outcome.sent] == ids(bus) == ["o0", "o2", "o1"]
    assert bus.sizes == [3, 2, 1]
    assert outcomes[0].at < outcomes[2].at
    assert len(waits) == 2


def test_an_entry_that_is_never_taken_is_named() -> None:
    bus, waits = Bus([[1], *[[0]] * (ATTEMPTS - 1)]), list[float]()
    with pytest.raises(Unpublished) as raised:
        publisher(bus, waits).publish(map(cancelled, range(12)))
    assert str(raised.value) == "not published: OrderCancellationRequested o1: InternalFailure: try again"
    [outcome] = raised.value.unsent
    assert (outcome.event, outcome.code) == (cancelled(1), "InternalFailure")
    assert len(waits) == ATTEMPTS - 1
    assert len(bus.taken) == 11


def test_waits_grow_and_differ() -> None:
    waits: list[float] = []
    with pytest.raises(Unpublished):
        Publisher(Bus([throttled()] * 20), "intake", "shop", attempts=12, sleep=waits.append).publish([cancelled(1)])
    assert len(waits) == 11
    for tried, wait in enumerate(waits):
        assert 0.5 <= wait / min(5.0, 0.05 * 2**tried) <= 1.5
    assert len(set(waits)) == len(waits)


@pytest.mark.parametrize("failure", [throttled(), EndpointConnectionError(endpoint_url="https://events")], ids=str)
def test_a_call_that_fails_for_the_moment_is_made_again(failure: Exception) -> None:
    bus = Bus([failure, failure])
    assert publisher(bus).publish([cancelled(1)]) == 1
    assert bus.sizes == [1, 1, 1]


def test_what_another_try_cannot_change_is_not_tried_again() -> None:
    class Refusing:
        calls = 0

        def put_events(self, *, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 - as botocore has it
            self.calls += 1
            return {"Entries": [{"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "not yours"}]}

    bus = Refusing()
    [outcome] = publisher(bus).outcomes([cancelled(1)])
    assert str(outcome) == "OrderCancellationRequested o1: NotAuthorizedForSourceException: not yours"
    assert bus.calls == 1


def test_once_calls_are_refused_the_rest_is_named_without_asking_again() -> None:
    bus = Bus([TAKEN, *[refused()] * 9])
    outcomes = list(publisher(bus).outcomes(map(cancelled, range(35))))
    assert [outcome.code for outcome in outcomes] == [None] * 10 + ["AccessDeniedException"] * 25
    assert [outcome.fatal for outcome in outcomes] == [False] * 10 + [True] * 25
    assert bus.sizes == [10, 10]


def test_an_answer_that_is_no_answer_loses_nothing() -> None:
    class Mute:
        def put_events(self, *, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 - as botocore has it
            return {"Entries": []}

    assert [outcome.code for outcome in publisher(Mute()).outcomes([cancelled(1)])] == ["ValueError"]


# Sizes


def test_an_order_over_its_limit_is_named_and_not_sent() -> None:
    bus = Bus()
    outcomes = list(publisher(bus).outcomes([of_bytes(MAX_CANONICAL_BYTES), of_bytes(MAX_CANONICAL_BYTES + 1)]))
    assert {outcome.code: len(outcome.event.model_dump_json(exclude_none=True)) for outcome in outcomes} == {
        None: MAX_CANONICAL_BYTES,
        TOO_LARGE: MAX_CANONICAL_BYTES + 1,
    }
    assert [len(entry["Detail"]) for entry in bus.taken] == [MAX_CANONICAL_BYTES]


def test_an_entry_over_the_limit_of_the_bus_is_named_and_does_not_hold_up_the_others() -> None:
    bus = Bus()
    fits = MAX_BYTES - len("shop") - len("Any") - len('""')
    entries = [Entry.untyped("Any", "x" * length) for length in (1, fits + 1, fits)]
    outcomes = {len(outcome.event.detail): outcome for outcome in publisher(bus).outcomes(entries)}
    assert str(outcomes[fits + 3]) == f"Any: TooLarge: {MAX_BYTES + 1} bytes; EventBridge takes {MAX_BYTES}"
    assert [len(entry["Detail"]) for entry in bus.taken] == [3, fits + 2]
    assert size(bus.taken[1]) == MAX_BYTES


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_an_orders_size_is_that_of_its_canonical_form(text: str) -> None:
    """The limit is checked on what is sent; order intake checks it on the canonical form."""
    detail = Entry.of(submitted(payment_token=text)).detail
    assert len(detail.encode()) == len(canonical(json.loads(detail)).encode())


# Laws


class Thing(NamedTuple):
    number: int
    size: int


@given(st.lists(st.integers(1, MAX_BYTES) | st.integers(1, 300)))
def test_batches_are_full_and_within_the_limits(sizes: list[int]) -> None:
    things = [Thing(*each) for each in enumerate(sizes)]
    batched = list(batches(things))
    assert [thing for batch in batched for thing in batch] == things
    for batch in batched:
        assert 1 <= len(batch) <= MAX_ENTRIES
        assert sum(thing.size for thing in batch) <= MAX_BYTES
    for before, after in pairwise(batched):
        assert len(before) == MAX_ENTRIES or sum(thing.size for thing in [*before, after[0]]) > MAX_BYTES


CALLS = st.one_of(
    st.just(TAKEN),
    st.lists(st.integers(0, MAX_ENTRIES - 1), max_size=MAX_ENTRIES),
    st.builds(throttled),
    st.builds(refused),
    st.just(EndpointConnectionError(endpoint_url="https://events")),
)
EVENTS: st.SearchStrategy[Model | Entry] = st.one_of(
    st.just(cancelled(1)),
    st.sampled_from([50, 60_000, 200_000, MAX_BYTES]).map(lambda length: Entry("Any", "x" * length, "Any")),
)


@given(st.lists(EVENTS, max_size=40), st.lists(CALLS, max_size=12))
def test_every_event_is_taken_once_or_named(events: list[Model | Entry], script: list[Any]) -> None:
    """The bus itself refuses calls over the limits."""
    bus = Bus(list(script))
    outcomes: list[Outcome[Model | Entry]] = list(publisher(bus).outcomes(events))
    assert sorted(id(outcome.event) for outcome in outcomes) == sorted(map(id, events))
    details = [(each if isinstance(each, Entry) else Entry.of(each)).detail for each in events]
    sent = [(o.event if isinstance(o.event, Entry) else Entry.of(o.event)).detail for o in outcomes if o.sent]
    assert sorted(entry["Detail"] for entry in bus.taken) == sorted(sent)
    assert set(sent) <= set(details)
    for outcome in outcomes:
        assert outcome.sent or (outcome.code and outcome.reason)
