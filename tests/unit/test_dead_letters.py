"""Dead-letter messages: each carries its reason, and is stored with what it held until somebody redrives it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from events import streams
from events.envelope import Actor, Recorded
from events.integration import OrderSubmitted
from events.operations import DeadLetterStored
from events.ordering import OrderConfirmed
from handlers.dead_letters import sending
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterKey, DeadLetterMessage, redriven
from handlers.files.importer import FileImporter, Outcome
from handlers.functions.main import dead_letters as dead_letters_function
from handlers.functions.main import file_import as file_import_function
from handlers.functions.main import order_emails, order_intake, shipment_intake
from handlers.functions.main import order_view as order_view_function
from handlers.functions.resources import dead_letter_queue, event_store
from handlers.intake.validation import Refused
from handlers.ordering import order_requests
from handlers.retry_policy import Throttled
from handlers.runtime import aws
from handlers.runtime.subscriber import subscriber
from handlers.table.event_store import EventStore
from tests.builders.dead_letter_queue import dead_letters as sent_messages
from tests.builders.dead_letter_queue import queue
from tests.builders.environment import DEAD_LETTER_BUCKET, ENVIRONMENT, QUEUE
from tests.builders.mail import verified_sender
from tests.builders.messages import CONTEXT, SOURCE, failed, from_bus, from_publisher, sqs
from tests.builders.orders import EMAIL, STREET, TOKEN, order, placed
from tests.builders.recorded_events import START, names, record
from tests.builders.stores import append, events_of, log

SENT = START + timedelta(days=30)
BODY = from_publisher(order("o1"))
KEY = "open/2026/02/01/order_intake/Throttled/m0.1.json"
OPERATOR = "arn:aws:iam::123456789012:user/jo"


def carried(message: Any) -> dict[str, str]:
    return {name: attribute["StringValue"] for name, attribute in message["MessageAttributes"].items()}


# A message that fails


def failing(failure: Exception) -> Callable[..., list[str]]:
    """A subscriber that fails like that; returns which messages it wants again."""

    def fail(_store: EventStore, _record: Recorded) -> None:
        raise failure

    handler = subscriber(fail, event_store("subscriber"), dead_letter_queue())
    body = from_bus(record(placed("demo.o1"), "order#demo.o1", 1))
    return lambda **delivery: failed(handler(sqs(body, **delivery), CONTEXT))


def test_a_message_that_fails_for_the_last_time_is_dead_lettered_with_the_reason(store: EventStore) -> None:
    deliver = failing(Throttled("DynamoDB is busy"))
    for receives in range(1, MAX_RECEIVE_COUNT):
        assert deliver(receives=receives) == ["m0"]
        assert sent_messages() == []
    assert deliver(receives=MAX_RECEIVE_COUNT) == []
    [sent] = sent_messages()
    assert json.loads(sent["Body"])["detail-type"] == "OrderPlaced"
    assert carried(sent) == {
        "error": "Throttled",
        "reasons": "DynamoDB is busy",
        "attempts": str(MAX_RECEIVE_COUNT),
        "message_id": "m0",
    }


def test_messages_that_are_handled_together_are_dead_lettered_each_by_itself(store: EventStore) -> None:
    event = sqs("not JSON", from_bus(record(placed("demo.o1"), "order#demo.o1", 1)), "[]", receives=MAX_RECEIVE_COUNT)
    assert failed(order_view_function.handler(event, CONTEXT)) == []
    assert {(carried(sent)["message_id"], carried(sent)["error"]) for sent in sent_messages()} == {
        ("m0", "JSONDecodeError"),
        ("m2", "TypeError"),
    }


def test_a_redriven_message_that_fails_again_is_recognized(store: EventStore) -> None:
    deliver = failing(Throttled())
    assert deliver(receives=MAX_RECEIVE_COUNT, message_id="first", redriven_from=KEY, redriven_by=OPERATOR) == []
    [sent] = sent_messages()
    assert (carried(sent)["message_id"], carried(sent)["redriven_from"]) == ("first", KEY)
    assert carried(sent)["redriven_by"] == OPERATOR


@pytest.mark.parametrize("redriven_by", [None, OPERATOR])
def test_what_comes_of_a_redriven_message_says_who_redrove_it(store: EventStore, redriven_by: str | None) -> None:
    """The actor is who it was: the shop that submitted the order, the function that subscribes."""
    attributes: Any = {"message_id": "first", "redriven_by": redriven_by} if redriven_by else {}
    assert failed(order_intake.handler(sqs(BODY, **attributes), CONTEXT)) == []
    [by_intake] = store.read(streams.order("demo.o1"))
    [confirmed] = append(store, streams.order("demo.o1"), OrderConfirmed(order_id="demo.o1"))
    with verified_sender():
        assert failed(order_emails.handler(sqs(from_bus(confirmed), **attributes), CONTEXT)) == []
    assert by_intake.metadata.actor == Actor(door="bus", principal=f"demo/{SOURCE}")
    by_subscriber = store.read(streams.notification("demo.o1"))
    assert names(each.event for each in by_subscriber) == ["EmailClaimed", "CustomerNotified"]
    assert {each.metadata.actor for each in by_subscriber} == {Actor(door="subscriber", principal="unit")}
    assert {each.metadata.redriven_by for each in (by_intake, *by_subscriber)} == {redriven_by}
    assert confirmed.metadata.redriven_by is None


def test_a_message_that_cannot_be_dead_lettered_is_delivered_again(store: EventStore, logged: io.StringIO) -> None:
    queue().delete_queue(QueueUrl=ENVIRONMENT["DEAD_LETTER_QUEUE_URL"])
    assert failing(Throttled())(receives=MAX_RECEIVE_COUNT) == ["m0"]
    assert "message failed, will be delivered again" in logged.getvalue()


NOTHING: tuple[Any, Any, Any, Any, Any] = (None, None, None, None, None)


def raised(failing: Callable[[], object]) -> Exception:
    try:
        failing()
    except Exception as failure:
        return failure
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("failing", "why"),
    [
        (lambda: order_requests.submit(*NOTHING), "AttributeError in handlers.ordering.order_requests."),
        (lambda: dict[str, str]()[EMAIL], "KeyError in a library"),
        (
            lambda: OrderSubmitted.model_validate_json(json.dumps(order(currency=EMAIL))),
            "currency: String should have at most 3 characters",
        ),
    ],
)
def test_the_reasons_of_what_is_not_our_error_quote_nothing(failing: Callable[[], object], why: str) -> None:
    reasons = sending.safe_reasons(raised(failing))
    assert why in reasons
    assert EMAIL not in reasons


def test_what_aws_refused_is_named_by_operation_and_code() -> None:
    refused = ClientError({"Error": {"Code": "MessageRejected", "Message": f"{EMAIL} is not verified"}}, "SendEmail")
    assert sending.safe_reasons(refused) == "AWS refused SendEmail: MessageRejected"


def test_an_error_without_words_has_a_name() -> None:
    assert sending.safe_reasons(Throttled()) == "Throttled"


def test_a_redriven_order_without_a_key_is_the_order_it_was_first(store: EventStore) -> None:
    """Redriven, a message has another id; the caller received the first one."""
    content = {name: value for name, value in order().items() if name != "order_id"}
    caller = {"subject": "s1", "client": "1example23", "scopes": "orders/write"}
    message = json.dumps({"caller": caller, "detail-type": "OrderSubmitted", "detail": content})
    assert failed(order_intake.handler(sqs(message, message_id="first"), CONTEXT)) == []
    assert failed(order_intake.handler(sqs(message), CONTEXT)) == []
    assert [each.stream for each in log(store)] == ["order#demo.first", "order#demo.m0"]
    assert log(store)[0].metadata.causation_id == "first"


def test_a_redriven_file_is_known_again_in_its_next_invocation(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileImporter, "work", lambda *_: Outcome.UNFINISHED)
    own = queue().create_queue(QueueName="file-import")["QueueUrl"]
    detail = {"bucket": {"name": "files"}, "object": {"key": "incoming/demo/uci/a.csv", "version-id": "1"}}
    context = type("Context", (), {**vars(CONTEXT), "get_remaining_time_in_millis": lambda _: 1})()
    event = sqs(json.dumps({"detail": detail}), message_id="first", redriven_from=KEY, redriven_by=OPERATOR)
    assert failed(file_import_function.handler(event, context)) == []
    [message] = queue().receive_message(QueueUrl=own, MessageAttributeNames=["All"])["Messages"]
    assert carried(message) == {"message_id": "first", "redriven_from": KEY, "redriven_by": OPERATOR}


# A message that is stored


@pytest.fixture
def bucket(store: EventStore) -> DeadLetterBucket:
    """The bucket of dead-letter messages, empty."""
    aws.s3().create_bucket(Bucket=DEAD_LETTER_BUCKET)
    return DeadLetterBucket(aws.s3(), DEAD_LETTER_BUCKET)


def dead(attributes: Mapping[str, str], *, sent: datetime = SENT, source: str = QUEUE) -> dict[str, Any]:
    """The event of a message of a dead-letter queue; without attributes, as SQS moves it there."""
    event = sqs(BODY, receives=MAX_RECEIVE_COUNT, **attributes)
    for message in event["Records"]:
        message["attributes"]["SentTimestamp"] = str(int(sent.timestamp() * 1000))
        message["eventSourceARN"] = f"arn:aws:sqs:us-east-1:123456789012:{source}"
    return event


def why(**more: str) -> dict[str, str]:
    return {"error": "Throttled", "reasons": "DynamoDB is busy", "attempts": "5", "message_id": "m0", **more}


def store_all(event: dict[str, Any]) -> None:
    assert failed(dead_letters_function.handler(event, CONTEXT)) == []


def counts(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The stored messages that were counted since last asked, as CloudWatch reads them."""
    printed = map(json.loads, capsys.readouterr().out.splitlines())
    return [each for each in printed if "DeadLetterStored" in each]


def stored(bucket: DeadLetterBucket, key: str) -> DeadLetterMessage:
    message = bucket.read(key)
    assert message
    return message


def test_a_message_is_stored_whole_recorded_and_counted(
    store: EventStore, bucket: DeadLetterBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        store_all(dead(why(trace="t-1")))
        assert bucket.open_keys() == [KEY]
    message = stored(bucket, KEY)
    assert (message.message_id, message.source, message.body, message.attributes) == (
        *("m0", "order_intake", BODY),
        {"trace": "t-1"},
    )
    assert (message.error, message.reasons, message.attempts) == ("Throttled", "DynamoDB is busy", 5)
    assert message.sent_at == SENT.replace(microsecond=678_000)
    assert message.earlier_failures == ()
    expected = DeadLetterStored(message_id="m0", source="order_intake", error="Throttled", attempts=5, key=KEY)
    assert events_of(store, streams.dead_letter("m0")) == [expected]
    counted, *_ = counts(capsys)
    assert (counted["source"], counted["cause"]) == ("order_intake", "ours")
    # The alarms go by these.
    assert sorted(counted["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == ["cause", "service", "source"]


SENDERS = {"Refused", "NotYet", "NotAllowed"}
OURS = {"Throttled", "Contended", "Unreachable", "KeyError", "ValidationError", "JSONDecodeError", "ClientError"}
CAUSES = [(why(error=error), "sender") for error in sorted(SENDERS)]
CAUSES += [(why(error=error), "ours") for error in sorted(OURS)]
CAUSES += [({}, "ours"), ({"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not allowed"}, "ours")]


@pytest.mark.parametrize(("attributes", "cause"), CAUSES, ids=lambda each: str(each)[:40])
def test_a_message_is_counted_by_whose_fault_it_is(
    bucket: DeadLetterBucket, capsys: pytest.CaptureFixture[str], attributes: dict[str, str], cause: str
) -> None:
    """Alarms ring for what is ours alone. What SQS or EventBridge moved there is."""
    store_all(dead(attributes))
    [counted] = counts(capsys)
    assert (counted["DeadLetterStored"], counted["cause"]) == ([1.0], cause)


def test_every_way_to_refuse_what_a_sender_says_is_the_senders_fault() -> None:
    refusals: list[type[Exception]] = [Refused, *Refused.__subclasses__()]
    assert {refusal.__name__ for refusal in refusals} == SENDERS


def test_what_intake_refuses_is_counted_as_its_senders_fault(
    bucket: DeadLetterBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = json.dumps({"id": "e1", "detail-type": "OrderSubmitted", "folder": "nobodys", "detail": order("o1")})
    early = from_publisher({"order_id": "demo.o1", "status": "dispatched"}, "ShipmentStatusReported")
    order_intake.handler(sqs("not JSON", from_publisher(order("no id")), stranger), CONTEXT)
    shipment_intake.handler(sqs(early, receives=MAX_RECEIVE_COUNT), CONTEXT)
    sent = [carried(message) for message in sent_messages()]
    assert sorted(each["error"] for each in sent) == ["NotAllowed", "NotYet", "Refused", "Refused"]
    for attributes in sent:
        store_all(dead(attributes))
    assert [each["cause"] for each in counts(capsys)] == ["sender"] * 4


def test_a_message_that_sqs_moved_is_stored_with_the_little_that_is_known(bucket: DeadLetterBucket) -> None:
    store_all(dead({}))
    message = stored(bucket, "open/2026/02/01/order_intake/FunctionEnded/m0.1.json")
    assert "before it could say why" in message.reasons
    assert message.attempts == MAX_RECEIVE_COUNT


def test_an_event_that_eventbridge_could_not_deliver_carries_its_reason(bucket: DeadLetterBucket) -> None:
    values = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not allowed", "RETRY_ATTEMPTS": "0", "RULE_ARN": "arn"}
    store_all(dead(values))
    message = stored(bucket, "open/2026/02/01/order_intake/NO_PERMISSIONS/m0.1.json")
    assert (message.reasons, message.attempts, message.attributes["RULE_ARN"]) == ("not allowed", 1, "arn")


def test_messages_are_stored_by_the_queue_they_were_in(bucket: DeadLetterBucket) -> None:
    store_all(dead(why()))
    store_all(dead(why(message_id="e1"), source="outbox-dead-letters"))
    assert bucket.open_keys(source="outbox") == ["open/2026/02/01/outbox/Throttled/e1.1.json"]


def again(bucket: DeadLetterBucket, key: str, day: int, *, marked: bool = True) -> None:
    """A message is redriven, and fails again some days later."""
    if marked:
        bucket.mark_redriven(key, stored(bucket, key), SENT + timedelta(days=day))
    attributes = why(redriven_from=key, redriven_by=OPERATOR, error=f"Error{day}")
    store_all(dead(attributes, sent=SENT + timedelta(days=day)))


def test_no_event_records_what_could_not_be_copied(store: EventStore, bucket: DeadLetterBucket) -> None:
    """It would have to be copied too: while that fails, each message would make the next."""
    store_all(dead(why(message_id="c1"), source="copy-dead-letters"))
    assert len(bucket.open_keys(source="audit_copy")) == 1
    assert events_of(store, streams.dead_letter("c1")) == []


@pytest.mark.parametrize("marked", [True, False])
def test_a_message_that_fails_again_has_its_earlier_failures(
    store: EventStore, bucket: DeadLetterBucket, marked: bool
) -> None:
    """Also where the redrive was killed before it marked the message."""
    store_all(dead(why()))
    again(bucket, KEY, 1, marked=marked)
    second = "open/2026/02/02/order_intake/Error1/m0.2.json"
    again(bucket, second, 2)
    third = stored(bucket, "open/2026/02/03/order_intake/Error2/m0.3.json")
    assert [failure.error for failure in third.failures] == ["Throttled", "Error1", "Error2"]
    assert [failure.redriven_at is not None for failure in third.failures] == [marked, True, False]
    events = events_of(store, streams.dead_letter("m0"))
    assert [(event.error, event.key) for event in events if isinstance(event, DeadLetterStored)] == [
        ("Throttled", KEY),
        ("Error1", second),
        ("Error2", third.key),
    ]
    redrivers = [each.metadata.redriven_by for each in store.read(streams.dead_letter("m0"))]
    assert redrivers == [None, OPERATOR, OPERATOR]
    assert third.attributes == {}
    assert bucket.keys_of("m0") == [
        third.key,
        *([] if marked else [KEY]),
        redriven(second),
        *([redriven(KEY)] * marked),
    ]


def test_a_message_whose_earlier_failure_expired_is_stored_all_the_same(
    store: EventStore, bucket: DeadLetterBucket
) -> None:
    store_all(dead(why()))
    store_all(dead(why(error="Other", redriven_from="open/2020/01/01/order_intake/Gone/m0.7.json")))
    other = KEY.replace("Throttled", "Other")
    assert stored(bucket, other).earlier_failures == ()
    events = events_of(store, streams.dead_letter("m0"))
    assert [event.key for event in events if isinstance(event, DeadLetterStored)] == [KEY, other]


def test_killed_before_the_event_a_message_is_recorded_on_redelivery(
    store: EventStore, bucket: DeadLetterBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Throttled("busy")

    with monkeypatch.context() as once:
        once.setattr(EventStore, "append_if_absent", busy)
        # Nothing but its queue holds the message: it is delivered again, however often it was.
        assert failed(dead_letters_function.handler(dead(why()), CONTEXT)) == ["m0"]
    assert bucket.open_keys() == [KEY]
    assert events_of(store, streams.dead_letter("m0")) == []
    store_all(dead(why()))
    assert len(events_of(store, streams.dead_letter("m0"))) == 1


def test_what_a_message_holds_is_in_no_log_and_no_event(
    store: EventStore, bucket: DeadLetterBucket, logged: io.StringIO
) -> None:
    store_all(dead(why(reasons=f"customer: {EMAIL}")))
    shown = logged.getvalue() + log(store)[0].event.model_dump_json()
    assert "dead-letter message stored" in shown
    assert not any(secret in shown for secret in (EMAIL, STREET, TOKEN))


IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(st.dates(date(2000, 1, 1), date(2999, 1, 1)), IDS, IDS, IDS, st.integers(1, 10**6))
def test_a_key_says_what_it_was_made_of(day: date, source: str, error: str, message_id: str, number: int) -> None:
    key = DeadLetterKey(day, source, error, message_id, number)
    assert DeadLetterKey.parse(key.text) == DeadLetterKey.parse(redriven(key.text)) == key
