"""The entry point of a projection: events from its queue, applied to every generation that is updated."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from events.envelope import Recorded
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.projections.engine.generations import Generations, GenerationStore
from handlers.projections.engine.projection import Definition
from handlers.projections.replays import target_of
from handlers.runtime import queue_batches
from handlers.runtime.observability import Handler, lag, logger, observed
from handlers.runtime.subscriber import delivered
from handlers.table.event_store import EventStore


def projecting(definition: Definition, store: EventStore, dead_letters: DeadLetterQueue) -> Handler:
    """The entry point of a projection: applies a batch's events; those that fail are delivered again by themselves."""
    projection = definition.on(store)
    generations = GenerationStore(store.client, store.table)

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        records: dict[str, Recorded] = {}
        failures: dict[str, Exception] = {}
        batch: dict[str, dict[str, Recorded]] = defaultdict(dict)
        known = generations.read(definition.name)
        for message in event["Records"]:
            message_id = message["messageId"]
            try:
                entry = json.loads(message["body"])
                record = records[message_id] = delivered(entry)
                replay = entry.get("replay-name")
                if replay is None:
                    lag("ProjectionLag", since=record.metadata.occurred_at)
                for generation in _targets(definition.name, replay, known):
                    batch[generation][message_id] = record
            except (LookupError, TypeError, ValueError) as unreadable:
                failures[message_id] = unreadable
        for generation, events in batch.items():
            failed = projection.apply(generation, list(events.values()))
            failures |= {
                message_id: failed[record.stream, record.version]
                for message_id, record in events.items()
                if (record.stream, record.version) in failed
            }

        def take(message: SQSRecord) -> None:
            if message.message_id in records:
                logger.set_correlation_id(records[message.message_id].stream.split("#")[1])
            if message.message_id in failures:
                raise failures[message.message_id]

        return queue_batches.process(event, context, take, dead_letters)

    return observed(handler)


def _targets(projection: str, replay: str | None, known: Generations) -> list[str]:
    """The generations that a delivered event is for: none where it is replayed for other projections."""
    target = target_of(replay or "")
    if target.projection not in (None, projection):
        return []
    return [each for each in known.updated if target.generation in (None, each)]
