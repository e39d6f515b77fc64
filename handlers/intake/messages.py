"""What intake functions have in common: messages of a queue, each an EventBridge event, one handler per type.

A message that can never become an event is refused: it is a dead letter, with the reasons. So is one that came too
early, and still does when it is delivered for the last time.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser import parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.model import Id
from events.ordering import RejectionReason
from handlers.dead_letters import sending
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.intake.callers import Caller
from handlers.intake.validation import Refused, reasons
from handlers.runtime import queue_batches
from handlers.runtime.observability import Handler, observed


class IntakeMessage(BaseModel):
    """An integration event on an intake queue: as EventBridge delivers it, or as the HTTP API sends it.

    Only the API names a ``caller``, and an ``order_id`` where the request does; the id of its messages is the queue's,
    and where they are redriven the one they had first.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    detail_type: str = Field(alias="detail-type")
    detail: Any
    caller: Caller | None = None
    order_id: Id | None = None


def intake(accepted: Mapping[str, Callable[[IntakeMessage], Any]], dead_letters: DeadLetterQueue) -> Handler:
    """The entry point of an intake function: a handler per ``detail-type`` it accepts."""

    def take(record: SQSRecord) -> None:
        envelope = _envelope(record)
        accept = accepted.get(envelope.detail_type)
        if accept is None:
            message = f"{envelope.detail_type!r} is not known here; known: {', '.join(accepted)}"
            raise Refused([RejectionReason(field="detail-type", message=message)])
        accept(envelope)

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return queue_batches.process(event, context, take, dead_letters)

    return observed(handler)


def _envelope(record: SQSRecord) -> IntakeMessage:
    try:
        content = json.loads(record.body)
    except (ValueError, RecursionError) as invalid:
        raise Refused([RejectionReason(field="", message=f"not readable as JSON: {invalid}")]) from invalid
    if isinstance(content, dict) and "caller" in content:
        content["id"] = sending.first_message_id(record)
    try:
        return parse(event=content, model=IntakeMessage)
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from invalid
