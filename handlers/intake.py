"""What intake functions have in common: messages of a queue, each an EventBridge event, one handler per type.

A message that can never become an event is sent to the queue's dead-letter queue with the reasons, and is done.
"""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.ordering import RejectionReason
from handlers import batches
from handlers.aws import sqs
from handlers.observability import Handler, logger, observed
from handlers.validation import Refused, reasons

_MAX_REASONS_BYTES = 8 * 1024


class Envelope(BaseModel):
    """An EventBridge event, as far as intake needs it."""

    model_config = ConfigDict(frozen=True)

    id: str
    detail_type: str = Field(alias="detail-type")
    detail: Any


def intake(accepted: Mapping[str, Callable[[Envelope], Any]]) -> Handler:
    """The entry point of an intake function: a handler per ``detail-type`` it accepts."""
    client = sqs()

    def take(record: SQSRecord) -> None:
        try:
            envelope = _envelope(record.body)
            accept = accepted.get(envelope.detail_type)
            if accept is None:
                message = f"{envelope.detail_type!r} is not known here; known: {', '.join(accepted)}"
                raise Refused([RejectionReason(field="detail-type", message=message)])
            accept(envelope)
        except Refused as refused:
            logger.warning("dead letter", message_id=record.message_id, reasons=str(refused))
            client.send_message(
                QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"],
                MessageBody=record.body,
                MessageAttributes={
                    "reasons": {"DataType": "String", "StringValue": _shortened(str(refused))},
                    "message_id": {"DataType": "String", "StringValue": record.message_id},
                },
            )

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return batches.process(event, context, take)

    return observed(handler)


def _envelope(body: str) -> Envelope:
    try:
        return parse(event=json.loads(body), model=Envelope)
    except json.JSONDecodeError as invalid:
        raise Refused([RejectionReason(field="", message=f"not JSON: {invalid}")]) from invalid
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from invalid


def _shortened(reasons: str) -> str:
    return reasons.encode()[:_MAX_REASONS_BYTES].decode(errors="ignore")
