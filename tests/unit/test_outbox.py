"""The outbox: whatever the bus does, every event reaches it, or becomes a dead-letter message that names it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded, event_id
from events.ordering import OrderCancelled, OrderConfirmed
from events.publishing.entries import MAX_BYTES, MAX_ENTRIES
from events.shipping import ShipmentRejected
from handlers.functions.main import outbox as outbox_function
from handlers.outbox import EventsNotPublished, Outbox
from handlers.retry_policy import MAX_ATTEMPTS, Unreachable
from handlers.runtime import aws
from handlers.runtime.subscriber import domain_event
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters, queue
from tests.builders.event_bus import TAKEN, Bus, Script, place_of, size, throttled
from tests.builders.messages import CONTEXT, inserted
from tests.builders.orders import placed
from tests.builders.recorded_events import image, record
from tests.builders.stores import append, items


@dataclass
class DeadLetters:
    sent: list[dict[str, Any]] = field(default_factory=list)

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Any) -> None:  # noqa: N803
        said = {name: attribute["StringValue"] for name, attribute in MessageAttributes.items()}
        self.sent.append(json.loads(MessageBody) | said)

    @property
    def places(self) -> list[tuple[str, int]]:
        return [place_of(message) for message in self.sent]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the outbox would have slept."""
    waited: list[float] = []
    monkeypatch.setattr("handlers.retry_policy.time.sleep", waited.append)
    return waited


def publish(bus: Bus, diverted: DeadLetters, records: Iterable[dict[str, Any]]) -> None:
    Outbox(cast("Any", bus), cast("Any", diverted), "orders", "url").publish(list(records))


def event(number: int, *, bytes_of_text: int = 4) -> Recorded:
    order_id = f"demo.o{number}"
    return record(OrderCancelled(order_id=order_id, reason="x" * bytes_of_text), streams.order(order_id), 3)


def stream_of(events: Iterable[Recorded]) -> list[dict[str, Any]]:
    return [inserted(image(each)) for each in events]


def until_done(bus: Bus, diverted: DeadLetters, records: list[dict[str, Any]]) -> int:
    """Deliver a batch as Lambda does, again and again until the function returns; returns how often."""
    for delivery in range(1, 100):
        try:
            publish(bus, diverted, records)
        except (EventsNotPublished, ClientError, Unreachable, RuntimeError):
            continue
        return delivery
    raise AssertionError("never done")


# What the bus is given


def test_an_event_goes_out_as_it_is_stored(store: EventStore) -> None:
    [confirmed] = append(store, "order#demo.o1", OrderConfirmed(order_id="demo.o1"))
    [item] = items(store)
    bus = Bus()
    publish(bus, DeadLetters(), [inserted(item)])
    assert bus.taken == [
        {
            "Time": confirmed.metadata.occurred_at,
            "Source": "orders.ordering",
            "DetailType": "OrderConfirmed",
            "Detail": f'{{"metadata":{item["metadata"]["S"]},"data":{item["data"]["S"]}}}',
            "EventBusName": "orders",
        }
    ]


def test_subscribers_read_back_what_was_appended(store: EventStore) -> None:
    """Through the function, and a bus with a rule and a queue, as moto has them."""
    events, sqs = aws.eventbridge(), queue()
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name="orders")
    events.put_rule(Name="all", EventBusName="orders", EventPattern='{"source": [{"prefix": "orders."}]}')
    events.put_targets(Rule="all", EventBusName="orders", Targets=[{"Id": "queue", "Arn": arn}])

    appended = append(store, "order#demo.o1", placed(), OrderConfirmed(order_id="demo.o1"))
    outbox_function.handler({"Records": [inserted(item) for item in items(store)]}, CONTEXT)

    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    received = sorted((domain_event(message["Body"]) for message in messages), key=lambda each: each.version)
    assert [(each.event, each.stream, each.version) for each in received] == [
        (each.event, each.stream, each.version) for each in appended
    ]
    assert [each.metadata for each in received] == [each.metadata for each in appended]


@given(st.lists(st.integers(0, 120_000), max_size=30))
def test_calls_hold_at_most_ten_entries_and_256_kilobytes_and_no_fewer_than_fit(sizes: list[int]) -> None:
    events = [event(number, bytes_of_text=text) for number, text in enumerate(sizes)]
    bus = Bus()
    publish(bus, DeadLetters(), stream_of(events))
    assert bus.places == [(each.stream, each.version) for each in events]
    start = 0
    for count in bus.sizes[:-1]:
        next_too = bus.taken[start : start + count + 1]
        assert count == MAX_ENTRIES or sum(map(size, next_too)) > MAX_BYTES
        start += count


# Failures


calls = st.one_of(
    st.just(TAKEN),
    st.lists(st.integers(0, MAX_ENTRIES - 1), unique=True, min_size=1),
    st.builds(throttled),
    st.just(ClientError({"Error": {"Code": "InternalFailure"}}, "PutEvents")),
    st.just(EndpointConnectionError(endpoint_url="https://events")),
    st.just(RuntimeError("the process dies")),
)
kinds = st.sampled_from(["small", "small", "small", "large", "oversized", "no JSON", "no metadata", "of no kind"])


def made(number: int, kind: str) -> dict[str, Any]:
    """A stream record of that kind."""
    text = {"large": 90_000, "oversized": 300_000}.get(kind, 4)
    item = image(event(number, bytes_of_text=text))
    if kind == "no JSON":
        item["data"] = {"S": "{"}
    if kind == "no metadata":
        del item["metadata"]
    if kind == "of no kind":
        item["metadata"] = {"S": item["metadata"]["S"].replace("order#", "unknown#")}
    return inserted(item)


@given(st.lists(kinds, min_size=1, max_size=25), st.lists(calls, max_size=12))
def test_every_event_reaches_the_bus_or_a_dead_letter_message_that_names_it(records: list[str], script: Script) -> None:
    """Entries that fail inside accepted calls, throttling, crashes, and records that can never be sent."""
    bus, diverted = Bus(list(script)), DeadLetters()
    until_done(bus, diverted, [made(number, kind) for number, kind in enumerate(records)])
    everything = {(f"order#demo.o{number}", 3): kind for number, kind in enumerate(records)}
    sendable = {place for place, kind in everything.items() if kind in {"small", "large"}}
    assert set(bus.places) == sendable
    assert set(diverted.places) == everything.keys() - sendable


@given(st.lists(st.lists(st.integers(0, 9), unique=True, min_size=1), min_size=1, max_size=3))
def test_entries_that_fail_are_put_again_by_themselves(failing: Script) -> None:
    """Within one delivery, and nothing that was taken goes out twice."""
    bus = Bus(list(failing))
    publish(bus, DeadLetters(), stream_of(event(number) for number in range(10)))
    assert sorted(bus.places) == sorted((f"order#demo.o{number}", 3) for number in range(10))


def test_a_throttled_call_is_made_again_after_a_while(waits: list[float]) -> None:
    bus = Bus([throttled(), throttled()])
    publish(bus, DeadLetters(), stream_of([event(1), event(2)]))
    assert bus.sizes == [2, 2, 2]
    assert bus.places == [("order#demo.o1", 3), ("order#demo.o2", 3)]
    assert 0 < waits[0] < waits[1] * 3 < 1


@pytest.mark.parametrize("failure", [[0], throttled()])
def test_what_the_bus_does_not_take_in_several_attempts_is_delivered_again_with_the_batch(
    failure: Any, waits: list[float]
) -> None:
    bus = Bus([failure] * MAX_ATTEMPTS)
    with pytest.raises(EventsNotPublished, match=r"order#demo\.o"):
        publish(bus, DeadLetters(), stream_of(event(number) for number in range(10)))
    assert sum(waits) < 5
    assert until_done(bus, DeadLetters(), stream_of(event(number) for number in range(10))) == 1
    assert set(bus.places) == {(f"order#demo.o{number}", 3) for number in range(10)}


def test_the_function_fails_where_events_are_left(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that Lambda delivers the batch again: the stream's mapping knows no partial failures."""
    broken = Outbox(cast("Any", Bus([throttled()] * MAX_ATTEMPTS)), queue(), "orders", "url")
    monkeypatch.setattr(outbox_function, "outbox", broken)
    with pytest.raises(EventsNotPublished):
        outbox_function.handler({"Records": stream_of([event(1)])}, CONTEXT)


def test_a_bus_that_is_not_there_is_not_taken_for_throttling(waits: list[float]) -> None:
    missing = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no bus"}}, "PutEvents")
    with pytest.raises(ClientError, match="no bus"):
        publish(Bus([missing]), DeadLetters(), stream_of([event(1)]))
    assert waits == []


@pytest.mark.parametrize("at", range(4))
def test_a_crash_half_way_loses_nothing(at: int) -> None:
    """Three calls; the process dies in one of them, before or after the bus has taken its entries."""
    records = stream_of(event(number) for number in range(25))
    bus = Bus([*[TAKEN] * at, RuntimeError("dies")])
    assert until_done(bus, DeadLetters(), records) == (2 if at < 3 else 1)
    assert set(bus.places) == {(f"order#demo.o{number}", 3) for number in range(25)}


# Records that can never be sent


def test_an_event_of_exactly_the_limit_goes_out_and_one_byte_more_does_not() -> None:
    def rejected(text: int) -> Recorded:
        return record(ShipmentRejected(order_id="demo.o1", reason="x" * text), "shipment#demo.o1", 1)

    bus, diverted = Bus(), DeadLetters()
    publish(bus, diverted, stream_of([rejected(1)]))
    room = MAX_BYTES - size(bus.taken[0]) + 1
    publish(bus, diverted, stream_of([rejected(room)]))
    assert size(bus.taken[1]) == MAX_BYTES
    assert diverted.sent == []
    publish(bus, diverted, stream_of([rejected(room + 1)]))
    assert diverted.sent == [
        {
            **{"stream": "shipment#demo.o1", "version": 1, "message_id": event_id("shipment#demo.o1", 1)},
            **{
                "error": "TooLarge",
                "reasons": f"{MAX_BYTES + 1} bytes; EventBridge takes {MAX_BYTES}",
                "attempts": "1",
            },
        }
    ]


def test_bytes_count_not_characters() -> None:
    bus, diverted = Bus(), DeadLetters()
    publish(
        bus,
        diverted,
        stream_of([record(ShipmentRejected(order_id="demo.o1", reason="é" * 140_000), "shipment#demo.o1", 1)]),
    )
    assert diverted.places == [("shipment#demo.o1", 1)]
    assert bus.sizes == []


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": None},
        {"metadata": {"S": "{}"}},
        {"metadata": {"S": "[]"}},
        {"metadata": {"S": "not JSON"}},
        {"metadata": {"S": '{"stream": "order#demo.o1", "occurred_at": "yesterday"}'}},
        {"metadata": {"S": '{"stream": "order#demo.o1", "occurred_at": "2026-01-01T00:00:00"}'}},
        {"metadata": {"S": '{"stream": "order#demo.o1", "occurred_at": 7}'}},
        {"data": {"S": '{"order_id"'}},
        {"data": {"N": "1"}},
        {"type": None},
    ],
    ids=str,
)
def test_a_record_that_is_no_event_does_not_hold_up_the_others(store: EventStore, broken: dict[str, Any]) -> None:
    item = {name: value for name, value in (image(event(1)) | broken).items() if value}
    events = aws.eventbridge()
    events.create_event_bus(Name="orders")
    outbox_function.handler({"Records": [inserted(item), *stream_of([event(2)])]}, CONTEXT)
    [message] = dead_letters()
    body = json.loads(message["Body"])
    assert place_of(body) == ("order#demo.o1", 3)
    said = message["MessageAttributes"]
    assert said["error"]["StringValue"] == "Unreadable"
    assert said["reasons"]["StringValue"].startswith("not readable as an event")
