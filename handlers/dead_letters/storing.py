"""Storing dead-letter messages: each goes into the bucket, is recorded as an event, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from events import streams
from events.operations import DeadLetterStored
from handlers.dead_letters import sending
from handlers.dead_letters.attributes import REDRIVEN_FROM
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterMessage
from handlers.dead_letters.receiving import received
from handlers.intake.validation import SENDERS_FAULTS
from handlers.runtime import queue_batches
from handlers.runtime.observability import count, logger
from handlers.table.event_store import EventStore

SENDER, OURS = "sender", "ours"
"""Whose fault a dead-letter message is. What its sender caused rings no alarm: the pipeline has nothing to repair."""

AUDIT_COPY = "audit_copy"
"""The source of messages about events that could not be copied."""


def store_message(store: EventStore, bucket: DeadLetterBucket, record: SQSRecord, source: str) -> DeadLetterMessage:
    """Store a message of a dead-letter queue and append the event that records it; returns what was stored.

    There is no event for a message of the audit copy: it would have to be copied too, and while copying fails, each
    dead-letter message would make the next one.

    Raises:
        Retryable, ClientError: try again; what was done is not done twice.
    """
    redriven_from = record.message_attributes[REDRIVEN_FROM]
    earlier = bucket.redriven_from(redriven_from.string_value or "") if redriven_from else None
    message = received(record, source, earlier)
    bucket.put(message)
    if source == AUDIT_COPY:
        return message
    stored = DeadLetterStored(
        message_id=message.message_id, source=source, error=message.error, attempts=message.attempts, key=message.key
    )
    stream, version = streams.dead_letter(message.message_id), message.failure_number
    metadata = {"correlation_id": message.message_id, "causation_id": record.message_id}
    # Another failure's event has this version where the message it was redriven from, with its number, is gone.
    while store.append_if_absent(stream, version, stored, **metadata).record.event != stored:
        version += 1
    return message


class DeadLetterStorage:
    """Stores what arrives in dead-letter queues.

    Args:
        store: the log.
        bucket: the bucket of dead-letter messages.
        sources: the function or saga start that each queue belongs to, by the queue's name.
    """

    def __init__(self, store: EventStore, bucket: DeadLetterBucket, sources: Mapping[str, str]) -> None:
        self._store = store
        self._bucket = bucket
        self._sources = sources

    def handle(self, event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        """Store the messages of a batch; one that fails is delivered again as long as its queue keeps it."""

        def take(record: SQSRecord) -> None:
            source = self._sources[record.event_source_arn.rpartition(":")[2]]
            store = self._store.redriven(sending.redriven_by(record))
            message = store_message(store, self._bucket, record, source)
            logger.info("dead-letter message stored", source=message.source, error=message.error, key=message.key)
            # Counted once too often rather than not at all: an alarm depends on it.
            cause = SENDER if message.error in SENDERS_FAULTS else OURS
            count("DeadLetterStored", source=message.source, cause=cause)

        return queue_batches.process_for_ever(event, context, take)
