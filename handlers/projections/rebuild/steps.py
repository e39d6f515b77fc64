"""Entry point of the rebuild: the steps of `statemachines/rebuild_projection.asl.json`, each of which may run twice.

A step that reads the whole table does so in segments, as far as it gets in its time, and says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from handlers.projections import replays
from handlers.projections.engine import scan
from handlers.projections.engine.generations import Generations, GenerationStore, NotBuilding
from handlers.projections.engine.projection import Projection
from handlers.projections.engine.scan import Segment
from handlers.projections.rebuild.comparison import Comparison
from handlers.projections.registry import named
from handlers.runtime.observability import Handler, logger, observed
from handlers.table.event_store import EventStore
from handlers.table.keys import Key
from handlers.table.retrying import classified, until_taken

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SEGMENTS = 8
MOST_COMPARED = 100_000
"""Of more streams than that, about so many are compared: those whose names' checksums are smallest."""

_KEEP_SECONDS = 24 * 60 * 60
_LONGEST_KEPT_SECONDS = 360 * 24 * 60 * 60  # an execution lasts a year at most
_NAMED = 20
_LOOKS = 3
_LONGEST_REPLAY = timedelta(hours=6)
_SPARE_SECONDS = 60.0
_MOST_DELETES = 25


class GenerationDiffers(Exception):
    """A new generation is not what the log folds to: the old one stays live."""


class Part(BaseModel):
    """A segment of the table, where to go on in it, and what was found so far."""

    segment: int
    of: int
    after: Key | None = None
    done: bool = False
    events: int = 0
    streams: int = 0
    compared: int = 0
    differing: list[str] = Field(default_factory=list)
    differing_count: int = 0
    counters_off_by: int = 0


class Wanted(BaseModel):
    """What an execution is started with."""

    model_config = ConfigDict(extra="forbid")

    projection: str
    afresh: bool = False
    keep_seconds: int = Field(default=_KEEP_SECONDS, ge=0, le=_LONGEST_KEPT_SECONDS)


class Step(BaseModel):
    """What the state machine sends: a step's name, and of the rest what the step is about."""

    step: str
    input: Wanted | None = None
    projection: str = ""
    generation: str = ""
    part: Part | None = None
    filled: list[Part] = Field(default_factory=list)
    checked: list[Part] = Field(default_factory=list)
    before: str = ""
    looks: int = 0
    generations: list[str] = Field(default_factory=list)


Remaining = Callable[[], float]
"""How many seconds a call has left."""


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

    def open(self, step: Step, _remaining: Remaining) -> dict[str, Any]:
        """Open a generation, or go on with the one that was begun; afresh, a new one in its place."""
        wanted = step.input
        if wanted is None:
            raise ValueError("open needs the execution's input")
        named(wanted.projection)
        opened = self._generations.change(wanted.projection, lambda known: known.opened(afresh=wanted.afresh))
        logger.info("generation opened", projection=wanted.projection, generation=opened.building, live=opened.live)
        return {
            "projection": wanted.projection,
            "generation": opened.building,
            "keep_seconds": wanted.keep_seconds,
            "parts": _parts(),
            "judged": {"difference": "", "looks": 0},
        }

    def replay(self, step: Step, _remaining: Remaining) -> None:
        """Replay the archive into the generation, unless that was begun before. The newest it may lack; see `fill`."""
        now = datetime.now(UTC)
        try:
            with classified():
                self._events.start_replay(
                    ReplayName=replays.for_rebuild(step.projection, step.generation),
                    EventSourceArn=self._archive,
                    EventStartTime=now - replays.KEPT,
                    EventEndTime=now,
                    Destination={"Arn": self._bus, "FilterArns": [replays.rule(self._bus, step.projection)]},
                )
        except self._events.exceptions.ResourceAlreadyExistsException:
            logger.info("replay was begun before", projection=step.projection, generation=step.generation)

    def replayed(self, step: Step, _remaining: Remaining) -> dict[str, Any]:
        """Whether the replay has ended, however, or takes very long: what it lacks, the scan fills."""
        name = replays.for_rebuild(step.projection, step.generation)
        with classified():
            replay = self._events.describe_replay(ReplayName=name)
        runs = replay["State"] in {"STARTING", "RUNNING", "CANCELLING"}
        now = datetime.now(UTC)
        overdue = now - replay.get("ReplayStartTime", now) > _LONGEST_REPLAY
        return {"ended": overdue or not runs, "state": replay["State"]}

    def fill(self, step: Step, remaining: Remaining) -> dict[str, Any]:
        """Apply every event in a segment of the log.

        Raises:
            NotBuilding: the generation was given up.
        """
        part, begun = _part(step), _part(step)
        for page in self._pages(part, remaining, only=scan.EVENTS_ALONE):
            records = [scan.event(item) for item in page]
            failures = self._building(step).apply(step.generation, records)
            if failures and part.after != begun.after:
                break  # so far so good: the next call begins with this page
            for failure in failures.values():
                raise failure
            part.events += len(records)
            part.streams += sum(record.version == 1 for record in records)
        return part.model_dump()

    def check(self, step: Step, remaining: Remaining) -> dict[str, Any]:
        """Compare a segment of the generation with the log.

        Raises:
            NotBuilding: the generation was given up.
        """
        part = _part(step)
        share = MOST_COMPARED / max(sum(filled.streams for filled in step.filled), MOST_COMPARED)
        comparison = Comparison(self._building(step), step.generation, self._store, share=share)
        for page in self._pages(part, remaining):
            comparison.take(page)
        tally = comparison.settled()
        differing = [*tally.differing, *tally.unknown]
        part.streams += tally.streams
        part.compared += tally.compared
        part.differing = (part.differing + differing)[:_NAMED]
        part.differing_count += len(differing)
        part.counters_off_by += tally.counters_off_by
        return part.model_dump() | {"counters_off_by": str(part.counters_off_by)}

    def judge(self, step: Step, _remaining: Remaining) -> dict[str, Any]:
        """Whether the generation is what the log folds to, or is to be looked at again.

        An event that failed once comes again after a minute, and counters that were read while traffic went on may be
        off by what happened in between: another look tells.

        Raises:
            GenerationDiffers: it is not.
        """
        looks = step.looks + 1
        count = sum(part.differing_count for part in step.checked)
        difference = str(sum(part.counters_off_by for part in step.checked))
        again = (count > 0 or difference != "0") and looks < _LOOKS
        if not again and count:
            differing = [stream for part in step.checked for stream in part.differing][:_NAMED]
            raise GenerationDiffers(
                f"generation {step.generation} of {step.projection} differs from the log in {count} streams: "
                f"{', '.join(differing)}{', …' if count > len(differing) else ''}"
            )
        if not again and difference == step.before != "0":
            raise GenerationDiffers(
                f"the counters of generation {step.generation} of {step.projection} do not add up to the log's"
            )
        return {
            "difference": difference,
            "looks": looks,
            "again": again,
            "counters_moving": difference != "0",
            "events": sum(part.events for part in step.filled),
            "streams": sum(part.streams for part in step.checked),
            "compared": sum(part.compared for part in step.checked),
        }

    def switch(self, step: Step, _remaining: Remaining) -> None:
        """Let readers see the generation.

        Raises:
            NotBuilding: it was given up.
        """
        self._change(step, lambda known: known.switched(step.generation))
        logger.info("generation switched", projection=step.projection, generation=step.generation)

    def close(self, step: Step, _remaining: Remaining) -> dict[str, Any]:
        """Feed the generations no longer that this one took the place of; or itself, where readers went back."""
        return {"dropping": self._change(step, lambda known: known.closed(step.generation)).dropping, "parts": _parts()}

    def drop(self, step: Step, remaining: Remaining) -> dict[str, Any]:
        """Delete what a segment of the table has of generations that are no longer fed."""
        projection, part = named(step.projection).on(self._store), _part(step)
        for page in self._pages(part, remaining, only={"ProjectionExpression": "PK, SK"}):
            keys = [
                {"PK": item["PK"], "SK": item["SK"]}
                for item in page
                if any(projection.owns(generation, item) for generation in step.generations)
            ]
            for start in range(0, len(keys), _MOST_DELETES):
                deletes = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + _MOST_DELETES]]
                until_taken(self._delete, {self._store.table: deletes})
            part.events += len(keys)
        return part.model_dump()

    def dropped(self, step: Step, _remaining: Remaining) -> None:
        """Forget generations that were deleted."""
        self._change(step, lambda known: known.without(step.generations))

    def _change(self, step: Step, change: Callable[[Generations], Generations]) -> Generations:
        return self._generations.change(step.projection, change)

    def _building(self, step: Step) -> Projection:
        projection = named(step.projection).on(self._store)
        if self._generations.read(step.projection).building != step.generation:
            raise NotBuilding(f"generation {step.generation} of {step.projection} is not being built any more")
        return projection

    def _pages(
        self, part: Part, remaining: Remaining, *, only: Mapping[str, Any] | None = None
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """The pages of a segment as long as there is time; the part then says where to go on."""
        segment = Segment(part.segment, part.of)
        for page in scan.pages(self._client, self._store.table, segment, part.after, only=only):
            yield page.items
            part.after, part.done = page.end, page.end is None
            if remaining() < _SPARE_SECONDS:
                return

    def _delete(self, requests: dict[str, Any]) -> dict[str, Any]:
        left: dict[str, Any] = dict(self._client.batch_write_item(RequestItems=requests)["UnprocessedItems"])
        return left


def _parts() -> list[dict[str, Any]]:
    return [Part(segment=number, of=SEGMENTS).model_dump() for number in range(SEGMENTS)]


def _part(step: Step) -> Part:
    if step.part is None:
        raise ValueError(f"{step.step} needs a part of the table")
    return step.part.model_copy(deep=True)


def steps(rebuild: Rebuild) -> Handler:
    """The entry point: runs the step that the state machine names."""

    known: tuple[Callable[[Step, Remaining], Any], ...] = (
        *(rebuild.open, rebuild.replay, rebuild.replayed, rebuild.fill, rebuild.check, rebuild.judge),
        *(rebuild.switch, rebuild.close, rebuild.drop, rebuild.dropped),
    )
    by_name = {each.__name__: each for each in known}

    def handler(event: dict[str, Any], context: Any) -> Any:
        step = Step.model_validate(event)
        done = by_name[step.step](step, lambda: context.get_remaining_time_in_millis() / 1000)
        logger.info("step done", step=step.step, projection=step.projection, generation=step.generation)
        return done

    return observed(handler)
