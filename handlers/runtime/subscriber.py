"""What subscribers of the orders bus have in common: domain events that a rule put on their queue."""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic_core import to_json

from events import catalog
from events.envelope import Recorded
from handlers.dead_letters import sending
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.runtime import queue_batches
from handlers.runtime.observability import Handler, observed
from handlers.runtime.postponing import OwnQueue, postponing
from handlers.table.event_store import EventStore


def domain_event(body: str) -> Recorded:
    """The domain event in a message: an EventBridge event whose detail is ``{"metadata": …, "data": …}``.

    Raises:
        LookupError, TypeError, ValueError: it is none, of a type or schema version this code does not know, or its
            content does not fit.
    """
    return delivered(json.loads(body))


def delivered(entry: Any) -> Recorded:
    """The domain event in an EventBridge event, which is JSON that was read; raises what `domain_event` does."""
    detail = entry["detail"]
    metadata = detail["metadata"]
    event = catalog.read(entry["detail-type"], metadata["schema_version"], to_json(detail["data"]).decode())
    return Recorded(event, metadata["stream"], metadata["version"], to_json(metadata).decode())


def subscriber(
    handle: Callable[[EventStore, Recorded], None],
    store: EventStore,
    dead_letters: DeadLetterQueue,
    own_queue: OwnQueue | None = None,
) -> Handler:
    """The entry point of a subscriber that handles one event at a time, with the store that it appends to.

    With its `own_queue`, it postpones events for which `handle` raises NotNow.
    """

    def take(record: SQSRecord) -> None:
        handle(store.redriven(sending.redriven_by(record)), domain_event(record.body))

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return queue_batches.process(event, context, postponing(take, own_queue) if own_queue else take, dead_letters)

    return observed(handler)
