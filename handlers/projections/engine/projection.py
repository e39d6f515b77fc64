"""What every projection can do: be updated, be filled from a scan of the log, and be compared with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from events.envelope import Recorded
from events.model import DomainEvent
from handlers.table.event_store import EventStore

Item = Mapping[str, Any]
"""An item of the table, as DynamoDB returns it."""

Position = tuple[str, int]
"""Where an event is in the log: its stream, and its version."""


class Count(NamedTuple):
    """A number in a view: the view's partition key, which of its items (where it has several), the counter's name."""

    view: str
    detail: str
    name: str
    number: int


class LogBehind(Exception):
    """The log, as read, ends below an event that was delivered: the event is to be delivered again."""


class Projection(Protocol):
    """A read model in a table, folded from events. What it holds depends on the log alone."""

    def apply(self, generation: str, records: Sequence[Recorded]) -> Mapping[Position, Exception]:
        """Apply events to a generation, in whatever order and however often they are delivered; others are ignored.

        Returns why some could not be applied, by their positions: they are to be delivered again.
        """
        ...

    def differing(self, generation: str, histories: Iterable[Sequence[Recorded]]) -> list[str]:
        """The streams, each given whole, of which a generation does not hold what the log folds to."""
        ...


class Definition(Protocol):
    """A projection as a value: what it is updated from, and what its items mean. It knows no table."""

    @property
    def name(self) -> str:
        """What it is called: the name of its module."""
        ...

    @property
    def function(self) -> str:
        """The key of the function that keeps it, by itself or with others; the rule in front has that name, too."""
        ...

    @property
    def events(self) -> tuple[type[DomainEvent], ...]:
        """The classes of the events that it is updated from."""
        ...

    def on(self, store: EventStore) -> Projection:
        """The projection on the table of an event store."""
        ...

    def owns(self, generation: str, item: Item) -> bool:
        """Whether an item of the table belongs to that generation."""
        ...

    def applied_events(self, item: Item) -> Iterator[Position]:
        """The events that an item of a generation says it has applied."""
        ...

    def stored_counts(self, item: Item) -> Iterator[Count]:
        """The counters in an item of a generation of it."""
        ...

    def expected_counts(self, histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
        """What these streams, each given whole, add to counters: the same counter may appear often."""
        ...


def by_stream(records: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """Events by stream, each once and in order of version."""
    streams: dict[str, dict[int, Recorded]] = defaultdict(dict)
    for record in records:
        streams[record.stream][record.version] = record
    return {stream: [events[version] for version in sorted(events)] for stream, events in streams.items()}
