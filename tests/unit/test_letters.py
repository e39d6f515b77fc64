"""Dead letters: each says why it is one, and is kept with what it was until somebody redrives it."""

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
from events.envelope import Recorded
from events.integration import OrderSubmitted
from events.operations import DeadLetterStored
from handlers.dead_letters import sending
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.message import Letter, Place, redriven
from handlers.dead_letters.stored import StoredLetters
from handlers.files.file_import import Import, Outcome
from handlers.functions.main import dead_letters as dead_letters_function
from handlers.functions.main import file_import as file_import_function
from handlers.functions.main import order_intake
from handlers.functions.main import order_view as order_view_function
from handlers.functions.resources import dead_letter_queue
from handlers.ordering import order_requests
from handlers.runtime import aws
from handlers.runtime.subscriber import subscriber
from handlers.table.event_store import EventStore
from handlers.table.retrying import Throttled
from tests.builders.samples import (
    CONTEXT,
    EMAIL,
    START,
    STREET,
    TOKEN,
    failed,
    from_bus,
    from_publisher,
    log,
    order,
    placed,
    queue,
    record,
    sqs,
    told,
)
from tests.builders.samples import dead_letters as sent_letters
from tests.unit import ENVIRONMENT, LETTERS, QUEUE

SENT = START + timedelta(days=30)
BODY = from_publisher(order("o1"))
KEY = "open/2026/02/01/order_intake/Throttled/m0.1.json"


def said(letter: Any) -> dict[str, str]:
    return {name: attribute["StringValue"] for name, attribute in letter["MessageAttributes"].items()}


# A message that fails


def failing(failure: Exception) -> Callable[..., list[str]]:
    """A subscriber that fails like that; returns which messages it wants again."""

    def fail(_: Recorded) -> None:
        raise failure

    handler = subscriber(fail, dead_letter_queue())
    body = from_bus(record(placed("o1"), "order#o1", 1))
    return lambda **delivery: failed(handler(sqs(body, **delivery), CONTEXT))


def test_a_message_that_fails_for_the_last_time_is_a_dead_letter_that_says_why(store: EventStore) -> None:
    deliver = failing(Throttled("DynamoDB is busy"))
    for receives in range(1, MAX_RECEIVE_COUNT):
        assert deliver(receives=receives) == ["m0"]
        assert sent_letters() == []
    assert deliver(receives=MAX_RECEIVE_COUNT) == []
    [letter] = sent_letters()
    assert json.loads(letter["Body"])["detail-type"] == "OrderPlaced"
    assert said(letter) == {
        "error": "Throttled",
        "reasons": "DynamoDB is busy",
        "tries": str(MAX_RECEIVE_COUNT),
        "message_id": "m0",
    }


def test_messages_that_are_handled_together_are_dead_letters_each_by_itself(store: EventStore) -> None:
    event = sqs("not JSON", from_bus(record(placed("o1"), "order#o1", 1)), "[]", receives=MAX_RECEIVE_COUNT)
    assert failed(order_view_function.handler(event, CONTEXT)) == []
    assert {(said(letter)["message_id"], said(letter)["error"]) for letter in sent_letters()} == {
        ("m0", "JSONDecodeError"),
        ("m2", "TypeError"),
    }


def test_a_redriven_message_that_fails_again_is_known_again(store: EventStore) -> None:
    assert failing(Throttled())(receives=MAX_RECEIVE_COUNT, message_id="first", letter=KEY) == []
    [letter] = sent_letters()
    assert (said(letter)["message_id"], said(letter)["letter"]) == ("first", KEY)


def test_a_message_whose_letter_cannot_be_sent_comes_again(store: EventStore, logged: io.StringIO) -> None:
    queue().delete_queue(QueueUrl=ENVIRONMENT["DEAD_LETTER_QUEUE_URL"])
    assert failing(Throttled())(receives=MAX_RECEIVE_COUNT) == ["m0"]
    assert "message failed, it comes again" in logged.getvalue()


def raised(failing: Callable[[], object]) -> Exception:
    try:
        failing()
    except Exception as failure:
        return failure
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("failing", "why"),
    [
        (lambda: order_requests.submit(None, None), "AttributeError in handlers.ordering.order_requests."),  # type: ignore[arg-type]
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


def test_what_aws_refused_is_told_by_operation_and_code() -> None:
    refused = ClientError({"Error": {"Code": "MessageRejected", "Message": f"{EMAIL} is not verified"}}, "SendEmail")
    assert sending.safe_reasons(refused) == "AWS refused SendEmail: MessageRejected"


def test_an_error_without_words_has_a_name() -> None:
    assert sending.safe_reasons(Throttled()) == "Throttled"


def test_a_redriven_order_without_a_key_is_the_order_it_was_first(store: EventStore) -> None:
    """Redriven, a message has another id; the caller was told the first one."""
    content = {name: value for name, value in order().items() if name not in ("order_id", "customer")}
    message = json.dumps({"caller": {"customer_id": "c1"}, "detail-type": "OrderSubmitted", "detail": content})
    assert failed(order_intake.handler(sqs(message, message_id="first"), CONTEXT)) == []
    assert failed(order_intake.handler(sqs(message), CONTEXT)) == []
    assert [each.stream for each in log(store)] == ["order#first", "order#m0"]
    assert log(store)[0].metadata.causation_id == "first"


def test_a_redriven_file_is_known_again_in_its_next_stretch(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Import, "stretch", lambda *_: Outcome.UNFINISHED)
    own = queue().create_queue(QueueName="file-import")["QueueUrl"]
    detail = {"bucket": {"name": "files"}, "object": {"key": "incoming/uci/a.csv", "version-id": "1"}}
    context = type("Context", (), {**vars(CONTEXT), "get_remaining_time_in_millis": lambda _: 1})()
    event = sqs(json.dumps({"detail": detail}), message_id="first", letter=KEY)
    assert failed(file_import_function.handler(event, context)) == []
    [message] = queue().receive_message(QueueUrl=own, MessageAttributeNames=["All"])["Messages"]
    assert said(message) == {"message_id": "first", "letter": KEY}


# A letter that is kept


@pytest.fixture
def letters(store: EventStore) -> StoredLetters:
    """The bucket of letters, empty."""
    aws.s3().create_bucket(Bucket=LETTERS)
    return StoredLetters(aws.s3(), LETTERS)


def dead(attributes: Mapping[str, str], *, sent: datetime = SENT, source: str = QUEUE) -> dict[str, Any]:
    """The event of a message of a dead-letter queue; without attributes, as SQS moves it there."""
    event = sqs(BODY, receives=MAX_RECEIVE_COUNT, **attributes)
    for message in event["Records"]:
        message["attributes"]["SentTimestamp"] = str(int(sent.timestamp() * 1000))
        message["eventSourceARN"] = f"arn:aws:sqs:us-east-1:123456789012:{source}"
    return event


def why(**more: str) -> dict[str, str]:
    return {"error": "Throttled", "reasons": "DynamoDB is busy", "tries": "5", "message_id": "m0", **more}


def kept(event: dict[str, Any]) -> None:
    assert failed(dead_letters_function.handler(event, CONTEXT)) == []


def stored(letters: StoredLetters, key: str) -> Letter:
    letter = letters.read(key)
    assert letter
    return letter


def test_a_letter_is_stored_whole_told_of_and_counted(
    store: EventStore, letters: StoredLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        kept(dead(why(trace="t-1")))
        assert letters.open() == [KEY]
    letter = stored(letters, KEY)
    assert (letter.letter_id, letter.source, letter.body, letter.attributes) == (
        *("m0", "order_intake", BODY),
        {"trace": "t-1"},
    )
    assert (letter.error, letter.reasons, letter.tries) == ("Throttled", "DynamoDB is busy", 5)
    assert letter.sent_at == SENT.replace(microsecond=678_000)
    assert letter.history == ()
    expected = DeadLetterStored(letter_id="m0", source="order_intake", error="Throttled", tries=5, key=KEY)
    assert told(store, streams.letter("m0")) == [expected]
    [counted, *_] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "DeadLetterStored" in line]
    assert counted["source"] == "order_intake"
    # The alarms go by these.
    assert sorted(counted["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == ["service", "source"]


def test_a_message_that_sqs_moved_is_kept_with_the_little_that_is_known(letters: StoredLetters) -> None:
    kept(dead({}))
    letter = stored(letters, "open/2026/02/01/order_intake/FunctionEnded/m0.1.json")
    assert "before it could say why" in letter.reasons
    assert letter.tries == MAX_RECEIVE_COUNT


def test_an_event_that_eventbridge_could_not_deliver_says_why(letters: StoredLetters) -> None:
    said = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not allowed", "RETRY_ATTEMPTS": "0", "RULE_ARN": "arn"}
    kept(dead(said))
    letter = stored(letters, "open/2026/02/01/order_intake/NO_PERMISSIONS/m0.1.json")
    assert (letter.reasons, letter.tries, letter.attributes["RULE_ARN"]) == ("not allowed", 1, "arn")


def test_letters_are_kept_by_the_queue_they_lie_in(letters: StoredLetters) -> None:
    kept(dead(why()))
    kept(dead(why(message_id="e1"), source="outbox-dead-letters"))
    assert letters.open(source="outbox") == ["open/2026/02/01/outbox/Throttled/e1.1.json"]


def again(letters: StoredLetters, key: str, day: int, *, marked: bool = True) -> None:
    """A letter is redriven, and fails again some days later."""
    if marked:
        letters.mark_redriven(key, stored(letters, key), SENT + timedelta(days=day))
    kept(dead(why(letter=key, error=f"Error{day}"), sent=SENT + timedelta(days=day)))


def test_no_event_tells_of_what_could_not_be_copied(store: EventStore, letters: StoredLetters) -> None:
    """It would have to be copied too: while that fails, each letter would make the next."""
    kept(dead(why(message_id="c1"), source="copy-dead-letters"))
    assert len(letters.open(source="audit_copy")) == 1
    assert told(store, streams.letter("c1")) == []


@pytest.mark.parametrize("marked", [True, False])
def test_a_letter_that_comes_back_has_its_history(store: EventStore, letters: StoredLetters, marked: bool) -> None:
    """Also where who redrove it was killed before marking it."""
    kept(dead(why()))
    again(letters, KEY, 1, marked=marked)
    second = "open/2026/02/02/order_intake/Error1/m0.2.json"
    again(letters, second, 2)
    third = stored(letters, "open/2026/02/03/order_intake/Error2/m0.3.json")
    assert [stay.error for stay in third.stays] == ["Throttled", "Error1", "Error2"]
    assert [stay.redriven_at is not None for stay in third.stays] == [marked, True, False]
    events = told(store, streams.letter("m0"))
    assert [(event.error, event.key) for event in events if isinstance(event, DeadLetterStored)] == [
        ("Throttled", KEY),
        ("Error1", second),
        ("Error2", third.key),
    ]
    assert letters.of("m0") == [third.key, *([] if marked else [KEY]), redriven(second), *([redriven(KEY)] * marked)]


def test_a_letter_whose_former_stay_is_forgotten_is_kept_all_the_same(letters: StoredLetters) -> None:
    kept(dead(why(letter="open/2020/01/01/order_intake/Gone/m0.7.json")))
    assert stored(letters, KEY).history == ()


def test_killed_before_the_event_a_letter_is_told_of_the_next_time(
    store: EventStore, letters: StoredLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Throttled("busy")

    with monkeypatch.context() as once:
        once.setattr(EventStore, "standing", busy)
        # Nothing but its queue holds the message: it comes again, however often it did.
        assert failed(dead_letters_function.handler(dead(why()), CONTEXT)) == ["m0"]
    assert letters.open() == [KEY]
    assert told(store, streams.letter("m0")) == []
    kept(dead(why()))
    assert len(told(store, streams.letter("m0"))) == 1


def test_what_a_letter_holds_is_in_no_log_and_no_event(
    store: EventStore, letters: StoredLetters, logged: io.StringIO
) -> None:
    kept(dead(why(reasons=f"customer: {EMAIL}")))
    shown = logged.getvalue() + log(store)[0].event.model_dump_json()
    assert "dead letter stored" in shown
    assert not any(secret in shown for secret in (EMAIL, STREET, TOKEN))


IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(st.dates(date(2000, 1, 1), date(2999, 1, 1)), IDS, IDS, IDS, st.integers(1, 10**6))
def test_a_key_says_what_it_was_made_of(day: date, source: str, error: str, letter_id: str, number: int) -> None:
    place = Place(day, source, error, letter_id, number)
    assert Place.of(place.key) == Place.of(redriven(place.key)) == place
