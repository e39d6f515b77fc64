"""What subscribers of the orders bus have in common: domain events that a rule put on their queue."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic_core import to_json

from events import catalog
from events.envelope import Recorded
from handlers import batches
from handlers.observability import Handler, logger, observed


def domain_event(body: str) -> Recorded:
    """The domain event in a message: an EventBridge event whose detail is ``{"metadata": …, "data": …}``.

    Raises:
        LookupError, TypeError, ValueError: it is none, of a type or schema version this code does not know, or its
            content does not fit.
    """
    entry = json.loads(body)
    detail = entry["detail"]
    metadata = detail["metadata"]
    event = catalog.read(entry["detail-type"], metadata["schema_version"], to_json(detail["data"]).decode())
    return Recorded(event, metadata["stream"], metadata["version"], to_json(metadata).decode())


def subscriber(handle: Callable[[Recorded], None]) -> Handler:
    """The entry point of a subscriber that handles one event at a time."""

    def take(record: SQSRecord) -> None:
        handle(domain_event(record.body))

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return batches.process(event, context, take)

    return observed(handler)


def grouping_subscriber(key: Callable[[Recorded], str], handle: Callable[[str, list[Recorded]], None]) -> Handler:
    """The entry point of a subscriber that handles a batch's events with the same key at once; they fail together."""

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        groups: dict[str, dict[str, Recorded]] = defaultdict(dict)
        failures: dict[str, Exception] = {}
        for message in event["Records"]:
            message_id = message["messageId"]
            try:
                record = domain_event(message["body"])
                groups[key(record)][message_id] = record
            except (LookupError, TypeError, ValueError) as unreadable:
                failures[message_id] = unreadable
        for each, records in groups.items():
            try:
                handle(each, list(records.values()))
            except Exception as failure:
                failures |= dict.fromkeys(records, failure)

        group_of = {message_id: each for each, records in groups.items() for message_id in records}

        def take(record: SQSRecord) -> None:
            logger.set_correlation_id(group_of.get(record.message_id))
            if record.message_id in failures:
                raise failures[record.message_id]

        return batches.process(event, context, take)

    return observed(handler)
