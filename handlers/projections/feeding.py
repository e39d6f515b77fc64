"""The entry point of a projection: events from its queue, applied to every generation that is fed."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from events.envelope import Recorded
from events.store import EventStore
from handlers import batches
from handlers.aws import event_store
from handlers.observability import Handler, lag, logger, observed
from handlers.projections.generations import Generations, GenerationStore
from handlers.projections.projection import Projection
from handlers.projections.replays import audience
from handlers.subscriber import delivered


def fed_by_queue(make: Callable[[EventStore], Projection]) -> Handler:
    """The entry point that applies a batch's events to a projection; those that fail come again by themselves.

    A function makes the projection while it starts. Where there is no table, its module can be imported all the same:
    by whoever checks views against the log.
    """

    @cache
    def made() -> tuple[Projection, GenerationStore]:
        store = event_store()
        return make(store), GenerationStore(store.client, store.table)

    if "TABLE_NAME" in os.environ:
        made()

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        projection, generations = made()
        records: dict[str, Recorded] = {}
        failures: dict[str, Exception] = {}
        batch: dict[str, dict[str, Recorded]] = defaultdict(dict)
        known = generations.read(projection.name)
        for message in event["Records"]:
            message_id = message["messageId"]
            try:
                entry = json.loads(message["body"])
                record = records[message_id] = delivered(entry)
                replay = entry.get("replay-name")
                if replay is None:
                    lag("ProjectionLag", since=record.metadata.occurred_at)
                for generation in _generations(projection.name, replay, known):
                    batch[generation][message_id] = record
            except (LookupError, TypeError, ValueError) as unreadable:
                failures[message_id] = unreadable
        for generation, events in batch.items():
            failed = projection.apply(generation, list(events.values()))
            places = {message_id: (record.stream, record.version) for message_id, record in events.items()}
            failures |= {message_id: failed[place] for message_id, place in places.items() if place in failed}

        def take(message: SQSRecord) -> None:
            if message.message_id in records:
                logger.set_correlation_id(records[message.message_id].stream.split("#")[1])
            if message.message_id in failures:
                raise failures[message.message_id]

        return batches.process(event, context, take)

    return observed(handler)


def _generations(projection: str, replay: str | None, known: Generations) -> list[str]:
    """The generations that a delivered event is for: none where it is replayed for others."""
    wanted = audience(replay or "")
    if wanted.projection not in (None, projection):
        return []
    return [each for each in known.fed if wanted.generation in (None, each)]
