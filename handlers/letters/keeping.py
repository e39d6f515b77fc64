"""Entry point of the keeper of dead letters: each is stored in a bucket, told of by an event, and counted."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError

from events import streams
from events.operations import DeadLetterStored
from events.store import EventStore
from handlers import batches
from handlers.aws import event_store, s3
from handlers.letters.attributes import LETTER
from handlers.letters.letter import Letter, redriven
from handlers.letters.receiving import received
from handlers.observability import count, logger, observed

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
    store.standing(
        streams.letter(letter.letter_id),
        letter.number,
        told,
        correlation_id=letter.letter_id,
        causation_id=record.message_id,
    )
    return letter


store = event_store()
_s3 = s3()


def _handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    letters = Letters(_s3, os.environ["LETTERS_BUCKET_NAME"])
    sources = {queue: source for source, queue in json.loads(os.environ["DEAD_LETTER_QUEUES"]).items()}

    def take(record: SQSRecord) -> None:
        letter = keep(store, letters, record, sources[record.event_source_arn.rpartition(":")[2]])
        logger.info("dead letter stored", source=letter.source, error=letter.error, key=letter.key)
        # Once too often rather than not at all: an alarm goes by it.
        count("DeadLetterStored", source=letter.source)

    return batches.process_for_ever(event, context, take)


handler = observed(_handler)
