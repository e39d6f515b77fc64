"""What subscribers of the orders bus have in common: domain events that a rule put on their queue."""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.parser import parse
from pydantic_core import to_json

from events import catalog
from events.envelope import Metadata, Recorded
from handlers.observability import Handler, observed


def domain_event(body: str) -> Recorded:
    """The domain event in a message: an EventBridge event whose detail is ``{"metadata": …, "data": …}``.

    Raises:
        KeyError: it is none, or of a type this code does not know.
        pydantic.ValidationError: its content does not fit.
    """
    entry = json.loads(body)
    detail = entry["detail"]
    metadata = parse(event=json.dumps(detail["metadata"]), model=Metadata)
    event = catalog.read(entry["detail-type"], metadata.schema_version, to_json(detail["data"]).decode())
    return Recorded(event, metadata)


def subscriber(handle: Callable[[Recorded], None]) -> Handler:
    """The entry point of a subscriber that handles one event at a time; a failed one comes again by itself."""
    processor = BatchProcessor(event_type=EventType.SQS)

    def take(record: SQSRecord) -> None:
        handle(domain_event(record.body))

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return process_partial_response(event=event, record_handler=take, processor=processor, context=context)

    return observed(handler)
