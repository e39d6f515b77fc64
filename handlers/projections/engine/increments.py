"""What events add to counters, cut into chunks that fit into transactions. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from events.envelope import Recorded
from handlers.projections.engine.projection import Position
from handlers.table.keys import Key

MOST_ITEMS = 100
"""How many items a transaction may write."""

_MARK = re.compile(r"v(\d+)_\d+")


class CounterKey(NamedTuple):
    """An item that counts: its view, and which item of it, where a view has several."""

    view: str
    detail: str = ""


History = Callable[[], Sequence[Recorded]]
"""Gives the events of an event's stream, from the first up to the event itself."""

Increments = Mapping[CounterKey, Mapping[str, int]]
"""What an event adds to counters, by name; a number may be negative."""


@dataclass(frozen=True)
class Chunk:
    """As many of an event's increments as fit into a transaction: its chunk with that number, from 1.

    That they were added is said by an attribute of `marker`, whose name is `mark`, and its value `content`.
    """

    position: Position
    number: int
    marker: Key
    increments: Increments

    @property
    def mark(self) -> str:
        """The attribute of the marker; `marked_version` reads it."""
        return f"v{self.position[1]}_{self.number}"

    @cached_property
    def content(self) -> str:
        """A hash of the increments."""
        adds = [[*key, sorted(counters.items())] for key, counters in sorted(self.increments.items())]
        return blake2b(json.dumps(adds).encode(), digest_size=16).hexdigest()

    @property
    def first_view(self) -> str:
        """The first of the views that it adds to."""
        return min(self.increments).view


def marked_version(mark: str) -> int | None:
    """The version of the event that an attribute of a marker is about; None for its other attributes."""
    found = _MARK.fullmatch(mark)
    return int(found[1]) if found else None


def chunks(position: Position, marker: Key, increments: Increments) -> Iterator[Chunk]:
    """An event's increments, cut so that each chunk fits into a transaction with its marker."""
    keys = sorted(increments)
    most = MOST_ITEMS - 1
    for number, start in enumerate(range(0, len(keys), most), start=1):
        part = {key: increments[key] for key in keys[start : start + most]}
        yield Chunk(position, number, marker, part)


def transactions(parts: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks put together, as many as fit into one transaction: an item for each marker, and for each counter.

    Those that begin in the same view go together: they have counters in common, or markers, which are then written
    once, and transactions of different views do not conflict.
    """
    together: list[Chunk] = []
    written: set[CounterKey | Key] = set()
    for chunk in sorted(parts, key=lambda chunk: chunk.first_view):
        items: set[CounterKey | Key] = {chunk.marker, *chunk.increments}
        fits = len(written | items) <= MOST_ITEMS
        if together and not (fits and chunk.first_view == together[0].first_view):
            yield together
            together, written = [], set()
        together.append(chunk)
        written |= items
    if together:
        yield together
