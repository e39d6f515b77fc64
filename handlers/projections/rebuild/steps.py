"""The steps of a rebuild, as `statemachines/rebuild_projection.asl.json` runs them: each of them may run twice.

A step that reads the whole table does so in segments, as far as it gets in its time, and answers where to continue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never

from handlers.projections import replays
from handlers.projections.engine import scan
from handlers.projections.engine.generations import GenerationStore, NotBuilding
from handlers.projections.rebuild import messages
from handlers.projections.rebuild.comparison import Comparison
from handlers.projections.rebuild.evaluation import MOST_NAMED, evaluate
from handlers.projections.registry import named
from handlers.retry_policy import classified, until_taken
from handlers.runtime.observability import logger
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SEGMENTS = 8
MOST_COMPARED = 100_000
"""Of more streams than that, about so many are compared: those whose names' checksums are smallest."""

_LONGEST_REPLAY = timedelta(hours=6)
_SPARE_SECONDS = 60.0
_MOST_DELETES = 25
_KEYS_ONLY: Mapping[str, Any] = {"ProjectionExpression": "PK, SK"}

Remaining = Callable[[], float]
"""How many seconds a call has left."""

Answer = messages.Message | None
"""What a step answers the state machine."""


class Rebuild:
    """The steps of a rebuild.

    Args:
        store: the log; views and generations are items of the same table.
        events: an EventBridge client.
        archive: the ARN of the archive of the orders bus.
        bus: the ARN of the orders bus.
    """

    def __init__(self, store: EventStore, events: EventBridgeClient, archive: str, bus: str) -> None:
        self._store = store
        self._client = store.client
        self._generations = GenerationStore(store.client, store.table)
        self._events = events
        self._archive = archive
        self._bus = bus

    def run(self, message: messages.Step, remaining: Remaining) -> Answer:
        """Run the step that a message is for."""
        answer: Answer = None
        match message:
            case messages.Open():
                answer = self.open(message)
            case messages.StartReplay():
                self.start_replay(message)
            case messages.CheckReplay():
                answer = self.check_replay(message)
            case messages.Fill():
                answer = self.fill(message, remaining)
            case messages.Compare():
                answer = self.compare(message, remaining)
            case messages.Evaluate():
                answer = evaluate(message)
            case messages.Switch():
                self.switch(message)
            case messages.Close():
                answer = self.close(message)
            case messages.Drop():
                answer = self.drop(message, remaining)
            case messages.Forget():
                self.forget(message)
            case _:
                assert_never(message)
        return answer

    def open(self, message: messages.Open) -> messages.Opened:
        """Open a generation, or go on with the one that was begun; to restart, a new one in its place.

        Raises:
            UnknownProjection: there is none of that name.
        """
        wanted = message.input
        named(wanted.projection)
        opened = self._generations.change(wanted.projection, lambda known: known.opened(restart=wanted.restart))
        if opened.building is None:
            raise NotBuilding(f"no generation of {wanted.projection} is being built")
        logger.info("generation opened", projection=wanted.projection, generation=opened.building, live=opened.live)
        return messages.Opened(
            projection=wanted.projection,
            generation=opened.building,
            keep_seconds=wanted.keep_seconds,
            segments=_segments(),
        )

    def start_replay(self, message: messages.StartReplay) -> None:
        """Replay the archive into the generation, unless that was begun before. It may lack the newest; see `fill`."""
        now = datetime.now(UTC)
        rule = replays.rule(self._bus, named(message.projection).function)
        try:
            with classified():
                self._events.start_replay(
                    ReplayName=replays.for_rebuild(message.projection, message.generation),
                    EventSourceArn=self._archive,
                    EventStartTime=now - replays.KEPT,
                    EventEndTime=now,
                    Destination={"Arn": self._bus, "FilterArns": [rule]},
                )
        except self._events.exceptions.ResourceAlreadyExistsException:
            logger.info("replay was begun before", projection=message.projection, generation=message.generation)

    def check_replay(self, message: messages.CheckReplay) -> messages.ReplayState:
        """Whether the replay has ended, in whatever state, or takes very long: what it lacks, the scan fills."""
        with classified():
            replay = self._events.describe_replay(
                ReplayName=replays.for_rebuild(message.projection, message.generation)
            )
        runs = replay["State"] in {"STARTING", "RUNNING", "CANCELLING"}
        now = datetime.now(UTC)
        overdue = now - replay.get("ReplayStartTime", now) > _LONGEST_REPLAY
        return messages.ReplayState(ended=overdue or not runs, state=replay["State"])

    def fill(self, message: messages.Fill, remaining: Remaining) -> messages.FilledSegment:
        """Apply every event in a segment of the log.

        Raises:
            NotBuilding: the generation was given up.
        """
        projection, segment = named(message.projection).on(self._store), message.segment
        for page in self._pages(segment, scan.EVENTS_ONLY):
            records = [scan.event(item) for item in page.items]
            self._check_building(message.projection, message.generation)
            failures = projection.apply(message.generation, records)
            if failures and segment != message.segment:
                break  # the pages before are done: the next call begins with this one
            for failure in failures.values():
                raise failure
            segment = segment.continued(
                page.cursor,
                events=segment.events + len(records),
                streams=segment.streams + sum(record.version == 1 for record in records),
            )
            if remaining() < _SPARE_SECONDS:
                break
        return segment

    def compare(self, message: messages.Compare, remaining: Remaining) -> messages.ComparedSegment:
        """Compare a segment of the generation with the log.

        Raises:
            NotBuilding: the generation was given up.
        """
        self._check_building(message.projection, message.generation)
        streams = sum(segment.streams for segment in message.filled)
        comparison = Comparison(
            named(message.projection),
            message.generation,
            self._store,
            share=MOST_COMPARED / max(streams, MOST_COMPARED),
        )
        segment = message.segment
        cursor = segment.after
        for page in self._pages(segment):
            comparison.take(page.items)
            cursor = page.cursor
            if remaining() < _SPARE_SECONDS:
                break
        tally = comparison.settled()
        differing = (*tally.differing, *tally.unknown)
        return segment.continued(
            cursor,
            streams=segment.streams + tally.streams,
            compared=segment.compared + tally.compared,
            differing=(*segment.differing, *differing)[:MOST_NAMED],
            differing_count=segment.differing_count + len(differing),
            counters_off_by=segment.counters_off_by + tally.counters_off_by,
        )

    def switch(self, message: messages.Switch) -> None:
        """Let readers see the generation.

        Raises:
            NotBuilding: it was given up.
        """
        self._generations.change(message.projection, lambda known: known.switched(message.generation))
        logger.info("generation switched", projection=message.projection, generation=message.generation)

    def close(self, message: messages.Close) -> messages.Closed:
        """Stop updating the generations that this one replaced; or itself, where readers went back."""
        closed = self._generations.change(message.projection, lambda known: known.closed(message.generation))
        return messages.Closed(dropping=tuple(closed.dropping), segments=_segments())

    def drop(self, message: messages.Drop, remaining: Remaining) -> messages.DroppedSegment:
        """Delete what a segment of the table has of generations that are no longer updated."""
        definition, segment = named(message.projection), message.segment
        for page in self._pages(segment, _KEYS_ONLY):
            keys = [
                {"PK": item["PK"], "SK": item["SK"]}
                for item in page.items
                if any(definition.owns(generation, item) for generation in message.generations)
            ]
            self._delete(keys)
            segment = segment.continued(page.cursor, items=segment.items + len(keys))
            if remaining() < _SPARE_SECONDS:
                break
        return segment

    def forget(self, message: messages.Forget) -> None:
        """Forget generations that were deleted."""
        self._generations.change(message.projection, lambda known: known.without(message.generations))

    def _check_building(self, projection: str, generation: str) -> None:
        if self._generations.read(projection).building != generation:
            raise NotBuilding(f"generation {generation} of {projection} is not being built any more")

    def _pages(self, segment: messages.Segment, only: Mapping[str, Any] | None = None) -> Iterator[scan.Page]:
        """The pages of a segment that were not scanned yet."""
        part = scan.Segment(segment.number, segment.of)
        return scan.pages(self._client, self._store.table, part, segment.after, only=only)

    def _delete(self, keys: Sequence[Mapping[str, Any]]) -> None:
        def write(requests: dict[str, Any]) -> dict[str, Any]:
            left: dict[str, Any] = dict(self._client.batch_write_item(RequestItems=requests)["UnprocessedItems"])
            return left

        for start in range(0, len(keys), _MOST_DELETES):
            deletes = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + _MOST_DELETES]]
            with classified():
                until_taken(write, {self._store.table: deletes})


def _segments() -> tuple[messages.Segment, ...]:
    return tuple(messages.Segment(number=number, of=SEGMENTS) for number in range(SEGMENTS))
