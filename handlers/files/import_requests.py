"""Requests to import a dropped file, which are S3's events about it: one message after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.dead_letters import sending
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.files.dropped_file import DroppedFile, FileVersion
from handlers.files.importer import FileImporter, Outcome
from handlers.files.submitting import Markers, OrderQueue
from handlers.intake.parties import Parties
from handlers.runtime import queue_batches
from handlers.runtime.observability import count, logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class FileImports:
    """Imports dropped files.

    Args:
        dynamodb: a DynamoDB client.
        s3: an S3 client.
        sqs: an SQS client.
        table: name of the table.
        own_queue: URL of the queue of these messages, for another one where an import is unfinished.
        order_queue: URL of order intake's queue.
        parties: whose folder is whose.
        dead_letters: the queue for messages that name no file, or whose import fails at every attempt.
    """

    def __init__(
        self,
        *,
        dynamodb: DynamoDBClient,
        s3: S3Client,
        sqs: SQSClient,
        table: str,
        own_queue: str,
        order_queue: str,
        parties: Parties,
        dead_letters: DeadLetterQueue,
    ) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._sqs = sqs
        self._table = table
        self._own_queue = own_queue
        self._order_queue = order_queue
        self._parties = parties
        self._dead_letters = dead_letters

    def handle(self, event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        """Work until little time is left; then the message is sent once more, and its delivery continues the import.

        Where the function dies, SQS delivers the message again.
        """

        def handle_record(record: SQSRecord) -> None:
            version = FileVersion.named_in(record.body)
            logger.append_keys(file=version.key, version=version.version_id)
            if version.key.endswith("/"):  # a folder, as the console makes them
                return
            importer = FileImporter(
                DroppedFile(self._s3, version),
                Markers(self._dynamodb, self._table, version.import_id),
                OrderQueue(self._sqs, self._order_queue),
                self._parties,
            )
            outcome = importer.work(context.get_remaining_time_in_millis)
            logger.info("file import", outcome=outcome)
            count("FileImports", outcome=outcome)
            if outcome is Outcome.UNFINISHED:
                self._sqs.send_message(
                    QueueUrl=self._own_queue, MessageBody=record.body, MessageAttributes=sending.identity(record)
                )

        return queue_batches.process(event, context, handle_record, self._dead_letters)
