"""Batches from a queue: each message succeeds or is delivered again by itself, until it is a dead-letter message."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.intake.validation import NotYet, Refused
from handlers.runtime.observability import logger

Take = Callable[[SQSRecord], None]

_processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def process(
    event: dict[str, Any], context: Any, take: Take, dead_letters: DeadLetterQueue
) -> PartialItemFailureResponse:
    """Take each message of an SQS event; returns those that failed, for SQS to deliver again.

    A message that is refused, or fails when it is delivered for the last time, goes to `dead_letters`
    with the reason, and is done. One that its function does not survive is moved there by SQS, without a reason.
    """

    def taken(record: SQSRecord) -> None:
        try:
            take(record)
        except Exception as failure:
            if _may_succeed(record, failure):
                raise
            dead_letters.send(record, failure)

    return process_for_ever(event, context, taken)


def process_for_ever(event: dict[str, Any], context: Any, take: Take) -> PartialItemFailureResponse:
    """Take each message of an SQS event; returns those that failed, to be delivered again while their queue keeps them.

    This is for what has no dead-letter queue behind it.
    """

    def logged(record: SQSRecord) -> None:
        logger.set_correlation_id(None)
        try:
            take(record)
        except Exception:
            logger.exception("message failed, will be delivered again", message_id=record.message_id)
            raise

    return process_partial_response(event=event, record_handler=logged, processor=_processor, context=context)


def is_last_delivery(record: SQSRecord) -> bool:
    """Whether a message that fails now is not delivered again."""
    return int(record.attributes.approximate_receive_count) >= MAX_RECEIVE_COUNT


def _may_succeed(record: SQSRecord, failure: Exception) -> bool:
    """Whether a message that failed is worth another delivery, and has one left."""
    final = isinstance(failure, Refused) and not isinstance(failure, NotYet)
    return not final and not is_last_delivery(record)
