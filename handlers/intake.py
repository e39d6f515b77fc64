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

from events.model import Id
from events.ordering import RejectionReason
from handlers import batches
from handlers.aws import sqs
from handlers.callers import Caller
from handlers.observability import Handler, logger, observed
from handlers.validation import Refused, reasons

_MAX_REASONS_BYTES = 8 * 1024


class Envelope(BaseModel):
    """An integration event on an intake queue: as EventBridge delivers it, or as the HTTP API sends it.

    Only the API names a ``caller``, and an ``order_id`` where the request does; the id of its messages is the queue's.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    detail_type: str = Field(alias="detail-type")
    detail: Any
    caller: Caller | None = None
    order_id: Id | None = None


def intake(accepted: Mapping[str, Callable[[Envelope], Any]]) -> Handler:
    """The entry point of an intake function: a handler per ``detail-type`` it accepts."""
    client = sqs()

    def take(record: SQSRecord) -> None:
        try:
            envelope = _envelope(record)
            accept = accepted.get(envelope.detail_type)
            if accept is None:
                message = f"{envelope.detail_type!r} is not known here; known: {', '.join(accepted)}"
                raise Refused([RejectionReason(field="detail-type", message=message)])
            accept(envelope)
        except Refused as refused:
            why = _shortened(str(refused))
            logger.warning("dead letter", message_id=record.message_id, reasons=why)
            client.send_message(
                QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"],
                MessageBody=record.body,
                MessageAttributes={
                    "reasons": {"DataType": "String", "StringValue": why},
                    "message_id": {"DataType": "String", "StringValue": record.message_id},
                },
            )

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return batches.process(event, context, take)

    return observed(handler)


def _envelope(record: SQSRecord) -> Envelope:
    try:
        content = json.loads(record.body)
    except (ValueError, RecursionError) as invalid:
        raise Refused([RejectionReason(field="", message=f"not readable as JSON: {invalid}")]) from invalid
    if isinstance(content, dict) and "caller" in content:
        content["id"] = record.message_id
    try:
        return parse(event=content, model=Envelope)
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from invalid


def _shortened(reasons: str) -> str:
    """As much as goes along with a dead letter, without the characters that SQS does not take."""
    printable = "".join(each if each.isprintable() else "?" for each in reasons)
    return printable.encode()[:_MAX_REASONS_BYTES].decode(errors="ignore")
