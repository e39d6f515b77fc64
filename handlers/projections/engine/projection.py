"""What every projection can do: be fed, be filled from a scan of the log, and be checked against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from events.envelope import Recorded
from events.model import DomainEvent
from handlers.table.event_store import EventStore

Item = Mapping[str, Any]
"""An item of the table, as DynamoDB returns it."""

Place = tuple[str, int]
"""Where an event stands in the log: its stream, and its version."""


class Count(NamedTuple):
    """A number in a view: the view's partition key, what of it where it has several items, and the counter's name."""

    view: str
    detail: str
    name: str
    number: int


class Behind(Exception):
    """The log, as read, ends below an event that was delivered: the event comes again."""


class Projection(Protocol):
    """A read model that is folded from events. What it holds depends on the log alone."""

    @property
    def name(self) -> str:
        """What it is called: the name of its module."""
        ...

    def apply(self, generation: str, records: Sequence[Recorded]) -> Mapping[Place, Exception]:
        """Apply events to a generation, in whatever order and however often they came; others are passed over.

        Returns why some could not be applied, by their places: they are to come again.
        """
        ...

    def owns(self, generation: str, item: Item) -> bool:
        """Whether an item of the table belongs to that generation."""
        ...

    def differing(self, generation: str, histories: Iterable[Sequence[Recorded]]) -> list[str]:
        """The streams, each given whole, of which a generation does not hold what the log folds to."""
        ...

    def claims(self, item: Item) -> Iterator[Place]:
        """The events that an item of a generation says it has applied."""
        ...

    def counted(self, histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
        """What these streams, each given whole, add to counters: one counter may come often."""
        ...

    def held(self, generation: str, item: Item) -> Iterator[Count]:
        """The counters in an item of a generation."""
        ...


def _counts_nothing(_histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
    return iter(())


@dataclass(frozen=True)
class Definition:
    """A projection as a value, which knows no table.

    ``name`` is that of its module, and of the function and the rule that feed it. ``events`` are the classes of the
    events that it is updated from. ``on`` opens it on the table of an event store. ``counted`` says what streams, each
    given whole, add to its counters.
    """

    name: str
    events: tuple[type[DomainEvent], ...]
    on: Callable[[EventStore], Projection]
    counted: Callable[[Iterable[Sequence[Recorded]]], Iterator[Count]] = _counts_nothing


def by_stream(records: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """Events by stream, each once and in order of version."""
    streams: dict[str, dict[int, Recorded]] = defaultdict(dict)
    for record in records:
        streams[record.stream][record.version] = record
    return {stream: [events[version] for version in sorted(events)] for stream, events in streams.items()}
