"""A consumer that is broken for a while: its messages are stored, and after the repair they are redriven."""

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
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterKey, DeadLetterMessage, redriven
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline
from tests.builders.shops import ORDER
from tests.e2e.conftest import eventually
from tests.e2e.test_cli import printed

BROKEN = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}})
ONLY_THOSE = ["--source", "order_intake", "--error", "ClientError"]


@contextmanager
def broken_intake(pipeline: Pipeline) -> Iterator[None]:
    """For the time of the block order intake may not use the table, and what failed is delivered again at once."""
    iam, sqs, queue = pipeline.client("iam"), pipeline.client("sqs"), pipeline.queue_url("order_intake")
    function = pipeline.client("lambda").get_function_configuration(FunctionName=pipeline.function_name("order_intake"))
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
def bucket(pipeline: Pipeline) -> DeadLetterBucket:
    return DeadLetterBucket(pipeline.client("s3"), pipeline.outputs["DeadLetterBucketName"])


def operator(pipeline: Pipeline) -> str:
    """The ARN of who runs the commands."""
    arn: str = pipeline.client("sts").get_caller_identity()["Arn"]
    return arn


def test_messages_of_a_broken_consumer_are_stored_and_redriven_after_the_repair(
    pipeline: Pipeline, bucket: DeadLetterBucket
) -> None:
    def two() -> list[DeadLetterMessage] | None:
        keys = bucket.open_keys(source="order_intake", error="ClientError")
        found = [message for _, message in bucket.read_all(keys)]
        return found if len(found) == 2 else None

    order_ids = [f"redriven-{uuid4().hex}" for _ in range(2)]
    orders = [OrderSubmitted.model_validate_json(json.dumps({**ORDER, "order_id": each})) for each in order_ids]
    with broken_intake(pipeline):
        Publisher(pipeline.client("events"), pipeline.intake_bus, "e2e").publish(orders)
        stored = eventually(two)
    assert {(each.reasons, each.attempts) for each in stored} == {("AWS refused PutItem: AccessDeniedException", 5)}
    assert sorted(json.loads(each.body)["detail"]["order_id"] for each in stored) == sorted(order_ids)
    assert {row[-1] for row in printed(pipeline, "dead-letters", *ONLY_THOSE)} == {each.message_id for each in stored}

    assert printed(pipeline, "redrive", *ONLY_THOSE) == [["2 of 2 redriven"]]
    for order_id in order_ids:
        assert printed(pipeline, "status", order_id, "--watch")[-1][0].startswith("CONFIRMED")
        who = {row[2]: row[3] for row in printed(pipeline, "history", order_id)}
        assert who["OrderPlaced"] == f"bus demo/e2e, redriven by {operator(pipeline)}"
        assert who["OrderConfirmed"] == "saga ordering_service"
    assert bucket.open_keys(source="order_intake", error="ClientError") == []


def test_a_message_that_fails_again_has_its_earlier_failures(pipeline: Pipeline, bucket: DeadLetterBucket) -> None:
    sent = pipeline.client("sqs").send_message(QueueUrl=pipeline.queue_url("order_intake"), MessageBody="not JSON")
    message_id = sent["MessageId"]

    def failure(number: int) -> str | None:
        newest = bucket.keys_of(message_id)[:1]
        return next((key for key in newest if DeadLetterKey.parse(key).failure_number == number), None)

    first = eventually(lambda: failure(1))
    [(_, message)] = bucket.read_all([first])
    before = message.failures[0]
    assert printed(pipeline, "redrive", message_id) == [["1 of 1 redriven"]]
    second = eventually(lambda: failure(2))
    [(_, message)] = bucket.read_all([second])
    # It may have failed again before it was marked.
    assert [each.model_copy(update={"redriven_at": None}) for each in message.earlier_failures] == [before]
    assert bucket.keys_of(message_id) == [second, redriven(first)]

    store = EventStore(pipeline.client("dynamodb"), pipeline.table_name)
    eventually(lambda: store.read(streams.dead_letter(message_id), after=1))
    events = [record.event for record in store.read(streams.dead_letter(message_id))]
    assert [event.key for event in events if isinstance(event, DeadLetterStored)] == [first, second]
