"""Batches from a queue: each message succeeds or comes again by itself, and a failure is logged."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.observability import logger

_processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def process(event: dict[str, Any], context: Any, take: Callable[[SQSRecord], None]) -> PartialItemFailureResponse:
    """Take each message of an SQS event; returns those that failed, for SQS to deliver again."""

    def logged(record: SQSRecord) -> None:
        logger.set_correlation_id(None)
        try:
            take(record)
        except Exception:
            logger.exception("message failed, it comes again", message_id=record.message_id)
            raise

    return process_partial_response(event=event, record_handler=logged, processor=_processor, context=context)
