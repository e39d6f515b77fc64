"""What the state machine of a rebuild sends to its steps, a message each, and what they answer.

Source of the shapes: `statemachines/rebuild_projection.asl.json`, whose tasks fill in the messages. What one step
answers, the state machine passes on to others.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, TypeAdapter

from handlers.table.keys import Key

_KEEP_SECONDS = 24 * 60 * 60
_LONGEST_KEPT_SECONDS = 360 * 24 * 60 * 60  # an execution lasts a year at most

LargeInt = Annotated[int, PlainSerializer(str, when_used="json")]
"""A number of any size. It travels as a text: in JSON, Step Functions keeps as many digits as a double has."""


class Message(BaseModel):
    """A message has the fields that its step takes, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# What goes from step to step


class Segment(Message):
    """A segment of the table that is scanned: one of ``of``, and after which key to continue, until it is done."""

    number: int
    of: int
    after: Key | None = None
    done: bool = False

    def continued(self, cursor: Key | None, **found: Any) -> Self:
        """The segment once it was scanned up to a cursor (None: to its end), and what was found by then."""
        return self.model_copy(update={"after": cursor, "done": cursor is None, **found})


class FilledSegment(Segment):
    """A segment from which events are applied: how many so far, and how many streams begin in it."""

    events: int = 0
    streams: int = 0


class ComparedSegment(Segment):
    """A segment that is compared: how many streams begin in it so far, how many were compared, and what differs."""

    streams: int = 0
    compared: int = 0
    differing: tuple[str, ...] = ()
    differing_count: int = 0
    counters_off_by: LargeInt = 0


class DroppedSegment(Segment):
    """A segment from which items are deleted: how many so far."""

    items: int = 0


class Evaluation(Message):
    """What the comparison came to after so many rounds; after none, nothing.

    ``again``: compare once more, later. ``difference`` is that of the counters' checksums, as text; where it is not 0
    in the end, the counters were moving all the while.
    """

    rounds: int = 0
    difference: LargeInt | None = None
    again: bool = False
    counters_moving: bool = False
    events: int = 0
    streams: int = 0
    compared: int = 0


# Messages


class RebuildInput(Message):
    """What an execution is started with. ``restart``: give up a generation that was begun."""

    projection: str
    restart: bool = False
    keep_seconds: int = Field(default=_KEEP_SECONDS, ge=0, le=_LONGEST_KEPT_SECONDS)


class Open(Message):
    """Open a generation."""

    step: Literal["open"]
    input: RebuildInput


class StartReplay(Message):
    """Start to replay the archive into the generation."""

    step: Literal["start_replay"]
    projection: str
    generation: str


class CheckReplay(Message):
    """Check whether the replay has ended."""

    step: Literal["check_replay"]
    projection: str
    generation: str


class Fill(Message):
    """Apply the events in a segment of the log."""

    step: Literal["fill"]
    projection: str
    generation: str
    segment: FilledSegment


class Compare(Message):
    """Compare a segment of the generation with the log."""

    step: Literal["compare"]
    projection: str
    generation: str
    filled: tuple[FilledSegment, ...]
    segment: ComparedSegment


class Evaluate(Message):
    """Evaluate a round of comparison; ``previous`` is the one before."""

    step: Literal["evaluate"]
    projection: str
    generation: str
    filled: tuple[FilledSegment, ...]
    compared: tuple[ComparedSegment, ...]
    previous: Evaluation


class Switch(Message):
    """Let readers see the generation."""

    step: Literal["switch"]
    projection: str
    generation: str


class Close(Message):
    """Stop updating the generations that it replaced."""

    step: Literal["close"]
    projection: str
    generation: str


class Drop(Message):
    """Delete what a segment of the table has of generations."""

    step: Literal["drop"]
    projection: str
    generations: tuple[str, ...]
    segment: DroppedSegment


class Forget(Message):
    """Forget generations that were deleted."""

    step: Literal["forget"]
    projection: str
    generations: tuple[str, ...]


Step = Annotated[
    Open | StartReplay | CheckReplay | Fill | Compare | Evaluate | Switch | Close | Drop | Forget,
    Field(discriminator="step"),
]
"""A message of the state machine."""

STEP: TypeAdapter[Step] = TypeAdapter(Step)
"""Reads a message."""


# Answers


class Opened(Message):
    """The generation, the segments to scan, and an evaluation of nothing to begin with."""

    projection: str
    generation: str
    keep_seconds: int
    segments: tuple[Segment, ...]
    evaluation: Evaluation = Evaluation()


class ReplayState(Message):
    """Whether the replay has ended, and its state, as EventBridge calls it."""

    ended: bool
    state: str


class Closed(Message):
    """The generations to delete, and the segments to scan for them."""

    dropping: tuple[str, ...]
    segments: tuple[Segment, ...]
