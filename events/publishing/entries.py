"""PutEvents entries: what EventBridge counts, and what it takes in one call. The one place that knows its limits."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

MAX_ENTRIES = 10
MAX_BYTES = 256 * 1024
"""What one PutEvents call may hold, one entry or ten.
Source: EventBridge user guide, "Calculating PutEvents event entry size"."""

_BYTES_OF_TIME = 14


class Sized(Protocol):
    """Something that becomes one entry of a PutEvents call."""

    @property
    def size(self) -> int:
        """The entry's size in bytes, as :func:`size_of` counts it."""


S = TypeVar("S", bound=Sized)


def size_of(put: Mapping[str, Any]) -> int:
    """The size in bytes of a PutEvents entry, as EventBridge counts it: time, source, type and detail in UTF-8."""
    time = _BYTES_OF_TIME if "Time" in put else 0
    return time + sum(len(put[part].encode()) for part in ("Source", "DetailType", "Detail"))


def batches(entries: Iterable[S]) -> Iterator[list[S]]:
    """Entries, in order, in batches that a PutEvents call takes. No entry may be larger than ``MAX_BYTES``."""
    batch: list[S] = []
    size = 0
    for each in entries:
        if batch and (len(batch) == MAX_ENTRIES or size + each.size > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch
