"""The entry point of projections: events from a queue, applied to every generation that is updated.

One function may keep several projections. Each applies its share of a batch by itself. What one fails at while another
is done with it is put back on the queue for that one alone, as a message that names it; that message is delivered
again, and becomes a dead-letter message, like any other. What fails whole is delivered again as it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from events.envelope import Recorded
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.projections.engine.generations import Generations, GenerationStore
from handlers.projections.engine.projection import Definition, Position, Projection
from handlers.projections.replays import ReplayTarget, target_of
from handlers.runtime import queue_batches
from handlers.runtime.observability import Handler, lag, logger, observed
from handlers.runtime.postponing import OwnQueue
from handlers.runtime.subscriber import delivered
from handlers.table.event_store import EventStore

PROJECTION = "projection"
"""The field by which a message that was put back names the one projection that it is for."""


@dataclass
class _Message:
    """A message of a batch, and what became of it: whether a projection is done with it, and at which it failed."""

    entry: Mapping[str, Any]
    record: Recorded
    replay: ReplayTarget
    done: bool = False
    failures: dict[str, Exception] = field(default_factory=dict)

    @property
    def position(self) -> Position:
        return self.record.stream, self.record.version

    def reaches(self, projection: str) -> bool:
        """Whether it is for a projection: others may have been named, or have been replayed into."""
        return {self.entry.get(PROJECTION, projection), self.replay.projection or projection} == {projection}

    def put_back(self, projection: str) -> str:
        """It, for one projection alone."""
        return json.dumps({PROJECTION: projection, **self.entry}, ensure_ascii=False, separators=(",", ":"))


def projecting(
    definitions: Sequence[Definition],
    store: EventStore,
    dead_letters: DeadLetterQueue,
    own_queue: OwnQueue | None = None,
) -> Handler:
    """The entry point of a function that keeps these projections; one that keeps several needs its `own_queue`."""
    projections = {each.name: each.on(store) for each in definitions}
    generations = GenerationStore(store.client, store.table)

    def share(definition: Definition, messages: Sequence[_Message]) -> None:
        """Let a projection apply its share of a batch."""
        due = [each for each in messages if isinstance(each.record.event, definition.events)]
        if not due:
            return
        try:
            # Given the rest of the batch too, a projection need not read the history of an event that is in there.
            failures = _apply(projections[definition.name], generations.read(definition.name), messages)
        except Exception as failure:
            failures = {each.position: failure for each in due}
        for each in due:
            if each.position in failures:
                each.failures[definition.name] = failures[each.position]
            else:
                each.done = True

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        messages: dict[str, _Message] = {}
        unreadable: dict[str, Exception] = {}
        for each in event["Records"]:
            try:
                message = messages[each["messageId"]] = _read(each["body"], projections)
            except (LookupError, TypeError, ValueError) as failure:
                unreadable[each["messageId"]] = failure
                continue
            if "replay-name" not in message.entry:
                lag("ProjectionLag", since=message.record.metadata.occurred_at)
        for definition in definitions:
            share(definition, [each for each in messages.values() if each.reaches(definition.name)])

        def take(record: SQSRecord) -> None:
            if record.message_id in unreadable:
                raise unreadable[record.message_id]
            message = messages[record.message_id]
            logger.set_correlation_id(message.record.stream.split("#")[1])
            for projection, failure in message.failures.items():
                if not message.done:
                    raise failure
                assert own_queue
                own_queue.put_back(message.put_back(projection))
                logger.warning(
                    "put back for one projection", message_id=record.message_id, projection=projection, exc_info=failure
                )

        return queue_batches.process(event, context, take, dead_letters)

    return observed(handler)


def _read(body: str, projections: Container[str]) -> _Message:
    entry = json.loads(body)
    message = _Message(entry, delivered(entry), target_of(entry.get("replay-name", "")))
    named = entry.get(PROJECTION)
    if named is not None and named not in projections:
        raise LookupError(f"there is no projection {named!r} here")
    return message


def _apply(projection: Projection, known: Generations, messages: Sequence[_Message]) -> Mapping[Position, Exception]:
    """Apply events to each generation that they are for; returns why some could not be, by their positions."""
    records: dict[str, list[Recorded]] = defaultdict(list)
    for each in messages:
        for generation in known.updated:
            if each.replay.generation in (None, generation):
                records[generation].append(each.record)
    failures: dict[Position, Exception] = {}
    for generation, given in records.items():
        failures |= projection.apply(generation, given)
    return failures
