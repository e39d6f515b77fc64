"""Redrive: send dead-letter messages back to the queues they came from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from handlers.dead_letters.attributes import MESSAGE_ID, REDRIVEN_BY, REDRIVEN_FROM
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_SAGA_START = "_start"


class NoQueue(Exception):
    """The message came from no queue, so there is none to send it to."""


class Redriven(NamedTuple):
    """What redriving the message with a key came to.

    ``message`` is None where it was gone: somebody else redrove it. ``problem`` is why it could not be redriven and is
    open still: NoQueue, or what AWS answered.
    """

    key: str
    message: DeadLetterMessage | None
    problem: NoQueue | ClientError | BotoCoreError | None = None


class Replacement(NamedTuple):
    """The operation that does what a message without a queue asked for, and what it is given."""

    operation: str
    argument: str


def redrive(
    bucket: DeadLetterBucket,
    keys: Sequence[str],
    sqs: SQSClient,
    queue_of: Callable[[str], str | None],
    *,
    operator: str,
    rate: float,
) -> Iterator[Redriven]:
    """Send open messages back, one after the other, and mark each; one that cannot be sent does not stop the others.

    Interrupted, it may be repeated: a message that is sent twice does no harm.

    Args:
        bucket: has the messages.
        keys: of the open messages.
        sqs: a client for the queues.
        queue_of: the URL of the queue of a function, by its key; None where it has none.
        operator: the ARN of who redrives them: it stands in the metadata of what comes of them.
        rate: how many messages to send a second at most.
    """
    next_at = time.monotonic()
    for key in keys:
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at = time.monotonic() + 1 / rate
        message = bucket.read(key)
        try:
            if message is not None:
                _send(sqs, queue_of(message.source), key, message, operator)
                bucket.mark_redriven(key, message, datetime.now(UTC))
        except (NoQueue, ClientError, BotoCoreError) as problem:
            yield Redriven(key, message, problem)
        else:
            yield Redriven(key, message)


def mark_resolved(bucket: DeadLetterBucket, keys: Sequence[str]) -> Iterator[Redriven]:
    """Mark open messages as redriven without sending them: another operation did what they asked for."""
    for key in keys:
        message = bucket.read(key)
        if message is not None:
            bucket.mark_redriven(key, message, datetime.now(UTC))
        yield Redriven(key, message)


def replacement(message: DeadLetterMessage) -> Replacement | None:
    """What to do instead of redriving a message that came from no queue; None where that takes a person."""
    try:
        body = json.loads(message.body)
        if message.source.endswith(_SAGA_START):
            order_id = body["order_id"] if "order_id" in body else body["detail"]["data"]["order_id"]
            return Replacement("resume", order_id)
        published = body["detail"]["metadata"] if "detail" in body else body
        return Replacement("republish", published["stream"])
    except (LookupError, TypeError, ValueError):
        return None


def _send(sqs: SQSClient, queue: str | None, key: str, message: DeadLetterMessage, operator: str) -> None:
    if queue is None:
        raise NoQueue(f"{message.message_id} came from no queue")
    recognized_by = {MESSAGE_ID: message.message_id, REDRIVEN_FROM: key, REDRIVEN_BY: operator}
    sqs.send_message(
        QueueUrl=queue,
        MessageBody=message.body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in recognized_by.items()},
    )
