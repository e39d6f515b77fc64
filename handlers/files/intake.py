"""Entry point of file import: a dropped file, told of by S3, is imported stretch by stretch."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers import batches, dead_letters
from handlers.aws import dynamodb, s3, sqs
from handlers.files.drop import Drop, Dropped
from handlers.files.importing import Import, Outcome
from handlers.files.submitting import Markers, OrderQueue
from handlers.observability import count, logger, observed

_dynamodb, _s3, _sqs = dynamodb(), s3(), sqs()


def _handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """Work until little time is left; then the message is sent once more, and its next delivery goes on.

    Where the function dies, the message comes again by itself.
    """

    def take(record: SQSRecord) -> None:
        dropped = Dropped.told_by(record.body)
        logger.append_keys(file=dropped.key, version=dropped.version)
        if dropped.key.endswith("/"):  # a folder, as the console makes them
            return
        importing = Import(
            Drop(_s3, dropped),
            Markers(_dynamodb, os.environ["TABLE_NAME"], dropped.import_id),
            OrderQueue(_sqs, os.environ["ORDER_QUEUE_URL"]),
        )
        outcome = importing.stretch(context.get_remaining_time_in_millis)
        logger.info("file import", outcome=outcome)
        count("FileImports", outcome=outcome)
        if outcome is Outcome.UNFINISHED:
            _sqs.send_message(
                QueueUrl=os.environ["OWN_QUEUE_URL"],
                MessageBody=record.body,
                MessageAttributes=dead_letters.identity(record),
            )

    return batches.process(event, context, take)


handler = observed(_handler)
