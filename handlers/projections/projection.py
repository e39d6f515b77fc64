"""What every projection can do: be fed, be filled from a scan of the log, and be checked against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from events.envelope import Recorded

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


def by_stream(records: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """Events by stream, each once and in order of version."""
    streams: dict[str, dict[int, Recorded]] = defaultdict(dict)
    for record in records:
        streams[record.stream][record.version] = record
    return {stream: [events[version] for version in sorted(events)] for stream, events in streams.items()}
