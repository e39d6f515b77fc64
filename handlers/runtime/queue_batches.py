"""Batches from a queue: each message succeeds or comes again by itself, until it is a dead letter that says why.

Powertools has a batch processor too; its import takes 40 ms of each cold start, for a loop of ten lines.
"""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.intake.validation import NotYet, Refused
from handlers.runtime.observability import logger

Take = Callable[[SQSRecord], None]
BatchResponse = dict[str, list[dict[str, str]]]
"""Which messages of a batch failed, as SQS reads it: {"batchItemFailures": [{"itemIdentifier": <message id>}]}."""


def process(event: dict[str, Any], take: Take, dead_letters: DeadLetterQueue) -> BatchResponse:
    """Take each message of an SQS event; returns those that failed, for SQS to deliver again.

    A message that is refused, or fails when it is delivered for the last time, goes to `dead_letters`
    with the reason, and is done. One that its function does not survive is moved there by SQS, and says nothing.
    """

    def taken(record: SQSRecord) -> None:
        try:
            take(record)
        except Exception as failure:
            if _may_succeed(record, failure):
                raise
            dead_letters.send(record, failure)

    return process_for_ever(event, taken)


def process_for_ever(event: dict[str, Any], take: Take) -> BatchResponse:
    """Take each message of an SQS event; returns those that failed, which come again as long as their queue keeps them.

    This is for what has no dead-letter queue behind it.
    """
    failed = []
    for record in map(SQSRecord, event["Records"]):
        logger.set_correlation_id(None)
        try:
            take(record)
        except Exception:
            logger.exception("message failed, it comes again", message_id=record.message_id)
            failed.append({"itemIdentifier": record.message_id})
    return {"batchItemFailures": failed}


def _may_succeed(record: SQSRecord, failure: Exception) -> bool:
    """Whether a message that failed is worth another delivery, and has one left."""
    final = isinstance(failure, Refused) and not isinstance(failure, NotYet)
    return not final and int(record.attributes.approximate_receive_count) < MAX_RECEIVE_COUNT
