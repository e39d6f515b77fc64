"""Postponing: what cannot be done now, through no fault of its message, is done later, however long that takes.

SQS counts every delivery, and a message that was delivered five times becomes a dead-letter message. So a message is
not left to be delivered again: another one with the same body is sent to the queue it came from, and this one is done.
The other one's receive count begins at 1, and so does the time for which the queue keeps it; it carries the id that the
first one had.

Where only a part of what a message asks for fails, that part alone is put back, and the rest is done.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.dead_letters import sending
from handlers.runtime.observability import count, logger
from handlers.runtime.queue_batches import Take

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SHORTEST_SECONDS, LONGEST_SECONDS = 300, 900
"""How long a message is postponed: a time in between, so that not all come back at once. SQS delays none for longer."""

PUT_BACK_SECONDS = 60
"""How long a part of a message waits that failed, about as long as the whole would."""

_JITTER = SystemRandom()
"""From the operating system: instances that start from one snapshot of a function would all draw alike otherwise."""


class NotNow(Exception):
    """It cannot be done now, and that says nothing about the message."""


class OwnQueue:
    """The queue that a function's messages come from.

    Args:
        sqs: gives an SQS client, and is called for the first message that is postponed.
        url: the queue's URL.
    """

    def __init__(self, sqs: Callable[[], SQSClient], url: str) -> None:
        self._sqs = sqs
        self._url = url

    def postpone(self, record: SQSRecord, reason: NotNow) -> None:
        """Send a message that takes the place of this one. Killed afterwards, a function leaves both."""
        seconds = _JITTER.randint(SHORTEST_SECONDS, LONGEST_SECONDS)
        self._sqs().send_message(
            QueueUrl=self._url,
            MessageBody=record.body,
            MessageAttributes=sending.identity(record),
            DelaySeconds=seconds,
        )
        logger.warning("message postponed", message_id=record.message_id, reason=str(reason), seconds=seconds)
        count("MessagesPostponed")

    def put_back(self, body: str) -> None:
        """Send a part of a message, which failed, as one of its own. Killed afterwards, a function leaves both."""
        self._sqs().send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=PUT_BACK_SECONDS)
        count("MessagesPostponed")


def postponing(take: Take, queue: OwnQueue) -> Take:
    """Takes messages as `take` does, and postpones those for which it raises NotNow."""

    def taken(record: SQSRecord) -> None:
        try:
            take(record)
        except NotNow as reason:
            queue.postpone(record, reason)

    return taken
