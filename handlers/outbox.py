"""The outbox: every event appended to the table goes on the orders bus, or becomes a dead-letter message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from events import streams
from events.envelope import event_id
from events.publishing.entries import MAX_BYTES, batches, size_of
from handlers.dead_letters import sending
from handlers.dead_letters.attributes import ATTEMPTS, ERROR, MESSAGE_ID, REASONS
from handlers.retry_policy import NotTaken, until_taken
from handlers.runtime.observability import lag, logger
from handlers.table.codec import decode
from handlers.table.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs import SQSClient


class EventsNotPublished(Exception):
    """The bus did not take events in several attempts: the whole batch is to be delivered again."""


@dataclass(frozen=True, slots=True)
class EventEntry:
    """The PutEvents entry of an event, its size in bytes as EventBridge counts it, and the key of the event."""

    put: PutEventsRequestEntryTypeDef
    size: int
    key: Key


class Outbox:
    """Publishes appended events.

    Args:
        events: an EventBridge client.
        queue: an SQS client.
        bus: name of the orders bus.
        dead_letters: URL of the queue for events that can never be published.
    """

    def __init__(self, events: EventBridgeClient, queue: SQSClient, bus: str, dead_letters: str) -> None:
        self._events = events
        self._queue = queue
        self._bus = bus
        self._dead_letters = dead_letters

    def publish(self, records: Sequence[dict[str, Any]]) -> None:
        """Publish the events of a batch of stream records, in order as far as the bus keeps it.

        Raises:
            EventsNotPublished, Retryable: the bus did not take some of them: deliver the whole batch again. That is
                harmless: subscribers handle duplicates.
        """
        for batch in batches(self._entries(records)):
            try:
                until_taken(self._put, batch)
            except NotTaken as failure:
                first: EventEntry = failure.left[0]
                raise EventsNotPublished(f"{failure}, the first {' '.join(first.key)}") from failure

    def _entries(self, records: Sequence[dict[str, Any]]) -> Iterator[EventEntry]:
        for record in records:
            keys = record["dynamodb"]["Keys"]
            try:
                made = entry(record["dynamodb"]["NewImage"], self._bus)
            except (KeyError, TypeError, ValueError) as unreadable:
                self._divert(keys, "Unreadable", f"not readable as an event: {unreadable!r}")
                continue
            if made.size > MAX_BYTES:
                self._divert(keys, "TooLarge", f"{made.size} bytes; EventBridge takes {MAX_BYTES}")
                continue
            yield made

    def _put(self, batch: list[EventEntry]) -> list[EventEntry]:
        """Put a batch; returns the entries that failed inside the accepted call."""
        answer = self._events.put_events(Entries=[each.put for each in batch])
        if not answer["FailedEntryCount"]:
            return []
        return [each for each, result in zip(batch, answer["Entries"], strict=True) if "ErrorCode" in result]

    def _divert(self, keys: dict[str, Any], error: str, reason: str) -> None:
        stream, sort_key = Key.of(keys)
        version = int(sort_key.rpartition("#")[2])
        logger.error("event can never be published", stream=stream, event=sort_key, reason=reason)
        why = {ERROR: error, REASONS: reason, ATTEMPTS: "1"}
        self._queue.send_message(
            QueueUrl=self._dead_letters,
            MessageBody=json.dumps({"stream": stream, "version": version}),
            # The batch may be delivered again, and this event with it: it is one dead-letter message all the same.
            MessageAttributes=sending.attributes({**why, MESSAGE_ID: event_id(stream, version)}),
        )


def entry(image: dict[str, Any], bus: str) -> EventEntry:
    """The PutEvents entry of an event's item. The stored JSON goes out as it is.

    Raises:
        KeyError, TypeError, ValueError: the item is no event.
    """
    item = decode(image)
    metadata, data = item["metadata"], item["data"]
    read = json.loads(metadata)
    json.loads(data)
    occurred_at = datetime.fromisoformat(read["occurred_at"])
    lag("OutboxLag", since=occurred_at)
    put: PutEventsRequestEntryTypeDef = {
        "Time": occurred_at,
        "Source": streams.source(read["stream"]),
        "DetailType": item["type"],
        "Detail": f'{{"metadata":{metadata},"data":{data}}}',
        "EventBusName": bus,
    }
    return EventEntry(put, size_of(put), Key.of(image))
