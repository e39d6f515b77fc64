"""Comparing a generation with the log: what it lacks, what it has of it that is wrong, and what it made up.

Each stream is folded and compared with what the generation holds of it. Each item of the generation names the events it
has applied, and those must be in the log. Counters, besides, must add up to the log's, which a checksum tells.

Traffic goes on meanwhile. So what differs is looked at again for some seconds, with the log read anew, unless it is so
much that time alone will not mend it. What is behind for longer, and counters that only one side had moved when it was
read, are told apart from what is wrong by comparing once more, later.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from zlib import crc32

from events.envelope import Recorded
from handlers.projections.engine.projection import Count, Item, Place, Projection, by_stream
from handlers.projections.engine.scan import event, is_event
from handlers.table import keys
from handlers.table.batch_reading import items
from handlers.table.event_store import EventStore

_LOOKS = 4
_MOST_LOOKED_AT_AGAIN = 1_000
_FIRST_WAIT_SECONDS = 0.25
_CHECKSUM_BYTES = 8


@dataclass
class Tally:
    """What a comparison has seen: streams in the log, those of them compared, and what differs.

    ``differing`` are streams that the generation does not hold as they are; ``unknown`` are places in the log that it
    claims to have applied, though nothing stands there. ``counters_off_by`` is 0 if the counters add up to the log's.
    """

    streams: int = 0
    compared: int = 0
    differing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    counters_off_by: int = 0


class Comparison:
    """Compares one generation of a projection with the log, as pages of a segment of the table come in.

    A stream may go on on the next page, so the last of a page waits for that. One whose beginning was on a page before
    the first was compared then.

    Args:
        projection: what is compared.
        generation: its generation.
        store: the log.
        share: how many of the streams are compared, as a part of 1; the counters' checksum takes in all.
    """

    def __init__(
        self,
        projection: Projection,
        generation: str,
        store: EventStore,
        *,
        share: float = 1.0,
    ) -> None:
        self._projection = projection
        self._generation = generation
        self._store = store
        self._share = share
        self._last: Sequence[Recorded] = ()
        self._suspects: dict[str, None] = {}
        self._made_up: dict[Place, None] = {}
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
        self._hold([item for item in found if not is_event(item) and self._projection.owns(self._generation, item)])

    def settled(self) -> Tally:
        """What it has come to, once what differed has been looked at again.

        Raises:
            Retryable: try again.
        """
        if self._last and _begins(self._last):
            self._compare([self._store.read(self._last[0].stream)])
        self._last = ()
        for look in range(_LOOKS):
            if len(self._suspects) + len(self._made_up) > _MOST_LOOKED_AT_AGAIN:
                break
            self._look_again()
            if not self._suspects and not self._made_up:
                break
            time.sleep(_FIRST_WAIT_SECONDS * 2**look)
        self.tally.differing += self._suspects
        self.tally.unknown += [f"{stream} version {version}" for stream, version in self._made_up]
        return self.tally

    def _compare(self, histories: Sequence[Sequence[Recorded]]) -> None:
        sampled = [history for history in histories if self._sampled(history[0].stream)]
        self.tally.streams += len(histories)
        self.tally.compared += len(sampled)
        self._suspects |= dict.fromkeys(self._projection.differing(self._generation, sampled))
        self.tally.counters_off_by += sum(map(_checksum, self._projection.counted(histories)))

    def _hold(self, own: Sequence[Item]) -> None:
        claimed = {place for item in own for place in self._projection.claims(item) if self._sampled(place[0])}
        self._made_up |= dict.fromkeys(self._missing(claimed))
        for item in own:
            self.tally.counters_off_by -= sum(map(_checksum, self._projection.held(self._generation, item)))

    def _look_again(self) -> None:
        histories = [history for stream in self._suspects if (history := self._store.read(stream))]
        self._suspects = dict.fromkeys(self._projection.differing(self._generation, histories))
        self._made_up = dict.fromkeys(self._missing(self._made_up))

    def _missing(self, places: Iterable[Place]) -> list[Place]:
        wanted = {keys.event(*place): place for place in places}
        found = items(self._store.client, self._store.table, wanted, keys_alone=True)
        return [place for key, place in wanted.items() if key not in found]

    def _sampled(self, stream: str) -> bool:
        return crc32(stream.encode()) < self._share * 2**32


def _begins(stream: Sequence[Recorded]) -> bool:
    return stream[0].version == 1


def _checksum(count: Count) -> int:
    """A number that adds up as counters do: over all of them it is 0 only where each is, but for an accident."""
    name = f"{count.view}\n{count.detail}\n{count.name}".encode()
    return count.number * int.from_bytes(blake2b(name, digest_size=_CHECKSUM_BYTES).digest())
