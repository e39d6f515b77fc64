"""Storing dead-letter messages: each goes into a bucket, is recorded as an event, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError

from events import streams
from events.operations import DeadLetterStored
from handlers.dead_letters.attributes import LETTER
from handlers.dead_letters.message import Letter, redriven
from handlers.dead_letters.receiving import received
from handlers.runtime import queue_batches
from handlers.runtime.observability import count, logger
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


AUDIT_COPY = "audit_copy"
"""The source of letters about events that could not be copied."""


class Letters:
    """The bucket of letters.

    Args:
        client: an S3 client.
        bucket: the bucket's name.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, letter: Letter) -> None:
        """Store an open letter; doing so again changes nothing."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=letter.key,
            Body=letter.model_dump_json(exclude_none=True).encode(),
            ContentType="application/json",
        )

    def redriven_from(self, key: str) -> Letter | None:
        """The letter that was redriven from an open one's key, marked as such or not yet; None if it is gone."""
        for place in (redriven(key), key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=place)
            except ClientError as failure:
                if failure.response["Error"]["Code"] != "NoSuchKey":
                    raise
            else:
                return Letter.model_validate_json(answer["Body"].read())
        return None


def keep(store: EventStore, letters: Letters, record: SQSRecord, source: str) -> Letter:
    """Store a message of a dead-letter queue as a letter, and append the event that tells of it; returns the letter.

    No event tells of a letter of the audit copy: it would have to be copied too, and while that fails, be the next one.

    Raises:
        Throttled, ClientError: try again; what was done is not done twice.
    """
    came_from = record.message_attributes[LETTER]
    former = letters.redriven_from(came_from.string_value or "") if came_from else None
    letter = received(record, source, former)
    letters.put(letter)
    if source == AUDIT_COPY:
        return letter
    told = DeadLetterStored(
        letter_id=letter.letter_id, source=source, error=letter.error, tries=letter.tries, key=letter.key
    )
    stream, version = streams.letter(letter.letter_id), letter.number
    metadata = {"correlation_id": letter.letter_id, "causation_id": record.message_id}
    # Another failure's event has this version where the letter it was redriven from, with its number, is gone.
    while store.append_if_absent(stream, version, told, **metadata).record.event != told:
        version += 1
    return letter


class DeadLetterStorage:
    """Stores what comes from dead-letter queues.

    Args:
        store: the log.
        letters: the bucket.
        sources: the function or saga start that each queue is for, by the queue's name.
    """

    def __init__(self, store: EventStore, letters: Letters, sources: Mapping[str, str]) -> None:
        self._store = store
        self._letters = letters
        self._sources = sources

    def handle(self, event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        """Store the messages of a batch; one that fails comes again as long as its queue keeps it."""

        def take(record: SQSRecord) -> None:
            source = self._sources[record.event_source_arn.rpartition(":")[2]]
            letter = keep(self._store, self._letters, record, source)
            logger.info("dead letter stored", source=letter.source, error=letter.error, key=letter.key)
            # Once too often rather than not at all: an alarm goes by it.
            count("DeadLetterStored", source=letter.source)

        return queue_batches.process_for_ever(event, context, take)
