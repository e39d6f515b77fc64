"""A consumer that is broken for a while: its letters are kept, and after the mend they go where they were meant to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from events import streams
from events.integration import OrderSubmitted
from events.operations import DeadLetterStored
from events.publishing.publisher import Publisher
from handlers.dead_letters.message import Letter, Place, redriven
from handlers.dead_letters.stored import StoredLetters
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually
from tests.e2e.test_cli import told

BROKEN = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}})
ONLY_THOSE = ["--source", "order_intake", "--error", "ClientError"]


@contextmanager
def broken_intake(doors: Pipeline) -> Iterator[None]:
    """For the time of the block order intake may not use the table, and a message that failed comes again at once."""
    iam, sqs, queue = doors.client("iam"), doors.client("sqs"), doors.queue_url("order_intake")
    function = doors.client("lambda").get_function_configuration(FunctionName=doors.function_name("order_intake"))
    role = function["Role"].rpartition("/")[2]
    name = "VisibilityTimeout"
    before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: "1"})
    iam.put_role_policy(RoleName=role, PolicyName="Broken", PolicyDocument=BROKEN)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="Broken")
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: before})


@pytest.fixture
def letters(doors: Pipeline) -> StoredLetters:
    return StoredLetters(doors.client("s3"), doors.outputs["DeadLetterBucketName"])


def test_letters_of_a_broken_consumer_are_kept_and_after_the_mend_leave_nothing_behind(
    doors: Pipeline, letters: StoredLetters
) -> None:
    def two() -> list[Letter] | None:
        found = [letter for _, letter in letters.read_all(letters.open(source="order_intake", error="ClientError"))]
        return found if len(found) == 2 else None

    order_ids = [f"letter-{uuid4().hex}" for _ in range(2)]
    orders = [OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": each})) for each in order_ids]
    with broken_intake(doors):
        Publisher(doors.client("events"), doors.intake_bus, "e2e").publish(orders)
        kept = eventually(two)
    assert {(each.reasons, each.tries) for each in kept} == {("AWS refused PutItem: AccessDeniedException", 5)}
    assert sorted(json.loads(each.body)["detail"]["order_id"] for each in kept) == sorted(order_ids)
    assert {row[-1] for row in told(doors, "dead-letters", *ONLY_THOSE)} == {each.letter_id for each in kept}

    assert told(doors, "redrive", *ONLY_THOSE) == [["2 of 2 redriven"]]
    for order_id in order_ids:
        assert told(doors, "status", order_id, "--watch")[-1][0].startswith("CONFIRMED")
    assert letters.open(source="order_intake", error="ClientError") == []


def test_a_letter_that_fails_again_comes_back_with_its_history(doors: Pipeline, letters: StoredLetters) -> None:
    sent = doors.client("sqs").send_message(QueueUrl=doors.queue_url("order_intake"), MessageBody="not JSON")
    letter_id = sent["MessageId"]

    def stay(number: int) -> str | None:
        return next((key for key in letters.of(letter_id)[:1] if Place.of(key).number == number), None)

    first = eventually(lambda: stay(1))
    [(_, letter)] = letters.read_all([first])
    kept = letter.stays[0]
    assert told(doors, "redrive", letter_id) == [["1 of 1 redriven"]]
    second = eventually(lambda: stay(2))
    [(_, letter)] = letters.read_all([second])
    # It may have come back before it was marked.
    assert [before.model_copy(update={"redriven_at": None}) for before in letter.history] == [kept]
    assert letters.of(letter_id) == [second, redriven(first)]

    store = EventStore(doors.client("dynamodb"), doors.table_name)
    eventually(lambda: store.read(streams.letter(letter_id), after=1))
    events = [record.event for record in store.read(streams.letter(letter_id))]
    assert [event.key for event in events if isinstance(event, DeadLetterStored)] == [first, second]
