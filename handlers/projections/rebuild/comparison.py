"""Comparing a generation with the log: what it lacks, what it has of it that is wrong, and what is not in the log.

Each stream is folded and compared with what the generation holds of it. Each item of the generation names the events it
has applied, and those must be in the log. Besides, counters must add up to the log's; a checksum shows whether they do.

Traffic goes on meanwhile. So what differs is checked again for some seconds, with the log read anew, unless it is so
much that it cannot be delay alone. A further round of comparison, later, separates what is wrong from what was behind
for longer, and from counters that had changed on one side only when they were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from zlib import crc32

from events.envelope import Recorded
from handlers.projections.engine.projection import Count, Definition, Item, Position, by_stream
from handlers.projections.engine.scan import event, is_event
from handlers.retry_policy import MAX_ATTEMPTS, wait
from handlers.table import keys
from handlers.table.batch_reading import items
from handlers.table.event_store import EventStore

_MOST_CHECKED_AGAIN = 1_000
_CHECKSUM_BYTES = 8


@dataclass
class Tally:
    """What a comparison has seen: streams in the log, those of them compared, and what differs.

    ``differing`` are streams that the generation does not hold as they are; ``unknown`` are positions in the log that
    it says it has applied, though no event is there. ``counters_off_by`` is 0 if the counters add up to the log's.
    """

    streams: int = 0
    compared: int = 0
    differing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    counters_off_by: int = 0


class Comparison:
    """Compares one generation of a projection with the log, as pages of a segment of the table come in.

    A stream may continue on the next page, so the last of a page waits for that. One that began on a page before the
    first was compared with that page.

    Args:
        definition: of the projection that is compared.
        generation: its generation.
        store: the log.
        share: how many of the streams are compared, as a part of 1; the counters' checksum takes in all.
    """

    def __init__(
        self,
        definition: Definition,
        generation: str,
        store: EventStore,
        *,
        share: float = 1.0,
    ) -> None:
        self._definition = definition
        self._projection = definition.on(store)
        self._generation = generation
        self._store = store
        self._share = share
        self._last: Sequence[Recorded] = ()
        self._suspects: dict[str, None] = {}
        self._unknown: dict[Position, None] = {}
        self.tally = Tally()

    def take(self, page: Iterable[Item]) -> None:
        """Compare a page of the table.

        Raises:
            Retryable: try again.
            Unreadable: an event cannot be read.
        """
        found = list(page)
        streams = list(by_stream([*self._last, *map(event, filter(is_event, found))]).values())
        self._last = streams.pop() if streams else ()
        self._compare([stream for stream in streams if _begins(stream)])
        self._check([item for item in found if not is_event(item) and self._definition.owns(self._generation, item)])

    def settled(self) -> Tally:
        """What it came to, once what differed has been checked again.

        Raises:
            Retryable: try again.
        """
        if self._last and _begins(self._last):
            self._compare([self._store.read(self._last[0].stream)])
        self._last = ()
        for attempt in range(MAX_ATTEMPTS):
            if not 0 < len(self._suspects) + len(self._unknown) <= _MOST_CHECKED_AGAIN:
                break
            if attempt:
                wait(attempt)
            self._check_again()
        self.tally.differing += self._suspects
        self.tally.unknown += [f"{stream} version {version}" for stream, version in self._unknown]
        return self.tally

    def _compare(self, histories: Sequence[Sequence[Recorded]]) -> None:
        sampled = [history for history in histories if self._sampled(history[0].stream)]
        self.tally.streams += len(histories)
        self.tally.compared += len(sampled)
        self._suspects |= dict.fromkeys(self._projection.differing(self._generation, sampled))
        self.tally.counters_off_by += sum(map(_checksum, self._definition.expected_counts(histories)))

    def _check(self, own: Sequence[Item]) -> None:
        applied = {each for item in own for each in self._definition.applied_events(item) if self._sampled(each[0])}
        self._unknown |= dict.fromkeys(self._missing(applied))
        for item in own:
            self.tally.counters_off_by -= sum(map(_checksum, self._definition.stored_counts(item)))

    def _check_again(self) -> None:
        histories = [history for stream in self._suspects if (history := self._store.read(stream))]
        self._suspects = dict.fromkeys(self._projection.differing(self._generation, histories))
        self._unknown = dict.fromkeys(self._missing(self._unknown))

    def _missing(self, positions: Iterable[Position]) -> list[Position]:
        wanted = {keys.event(*position): position for position in positions}
        found = items(self._store.client, self._store.table, wanted, keys_alone=True)
        return [position for key, position in wanted.items() if key not in found]

    def _sampled(self, stream: str) -> bool:
        return crc32(stream.encode()) < self._share * 2**32


def _begins(stream: Sequence[Recorded]) -> bool:
    return stream[0].version == 1


def _checksum(count: Count) -> int:
    """A number that adds up as counters do: over all of them it is 0 only where each is, or by a rare chance."""
    name = f"{count.view}\n{count.detail}\n{count.name}".encode()
    return count.number * int.from_bytes(blake2b(name, digest_size=_CHECKSUM_BYTES).digest())
