"""Views that count. What an event adds to them is applied together with a marker that says so, in one transaction.

The increments of several events go into one transaction as far as they fit, so that counters they have in common are
written once, and so is the marker of a stream. An event that adds too much for one transaction is applied in chunks,
which the marker names one by one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from events.envelope import Recorded
from events.model import DomainEvent
from handlers.projections.counter_views import CounterViews
from handlers.projections.engine.increments import (
    Chunk,
    CounterKey,
    History,
    Increments,
    chunks,
    marked_version,
    transactions,
)
from handlers.projections.engine.projection import Count, Item, LogBehind, Position, by_stream
from handlers.retry_policy import MAX_CONFLICTS, PATIENCE_SECONDS, Contended, Retryable, classified, meaning, wait
from handlers.table import keys
from handlers.table.batch_reading import items
from handlers.table.codec import decode, encode, numbers
from handlers.table.event_store import EventStore
from handlers.table.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


FUNCTION = "counting_projections"


@dataclass(frozen=True, slots=True)
class Counting:
    """A projection that counts: what it is updated from, and what that adds.

    ``increments`` says what an event of one of ``events`` adds to ``views``, from the event and the history of its
    stream, and from nothing else. ``reads`` are the kinds of the streams whose history it asks for.
    """

    views: CounterViews
    events: tuple[type[DomainEvent], ...]
    increments: Callable[[Recorded, History], Increments]
    reads: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the projection is called."""
        return self.views.projection

    @property
    def function(self) -> str:
        """The function that keeps every projection that counts."""
        return FUNCTION

    def on(self, store: EventStore) -> CountingProjection:
        """The projection on the table of an event store."""
        return CountingProjection(self, store)

    def counts(self, record: Recorded) -> bool:
        """Whether an event adds something, or may."""
        return isinstance(record.event, self.events)

    def owns(self, generation: str, item: Item) -> bool:
        """Whether an item is a counter, or a marker, of that generation."""
        key = Key.of(item)
        if key.pk.startswith(self.views.prefix):
            return keys.generation_of(key.sk) == generation
        return key.pk.startswith(keys.applied(self.name, generation))

    def applied_events(self, item: Item) -> Iterator[Position]:
        """The events that a marker is about; a counter names none."""
        key = Key.of(item)
        if not key.pk.startswith(self.views.prefix):
            versions = {version for name in item if (version := marked_version(name))}
            yield from ((keys.marked_stream(key), version) for version in sorted(versions))

    def stored_counts(self, item: Item) -> Iterator[Count]:
        """The counters in an item; a marker has none."""
        view, sort_key = Key.of(item)
        if view.startswith(self.views.prefix):
            for name, number in numbers(item).items():
                yield Count(view, keys.detail_of(sort_key), name, number)

    def expected_counts(self, histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
        """What these streams, each given whole, add to counters."""
        for history in histories:
            for record in filter(self.counts, history):
                for key, counters in self.increments(record, _up_to(record, history)).items():
                    for name, number in counters.items():
                        yield Count(f"{self.views.prefix}{key.view}", key.detail, name, number)


class CountingProjection:
    """Keeps the views of a projection that counts.

    Args:
        counting: what it counts.
        store: the log, read where increments depend on earlier events; the views are items of the same table.
    """

    def __init__(self, counting: Counting, store: EventStore) -> None:
        self._counting = counting
        self._store = store
        self._client: DynamoDBClient = store.client

    def apply(self, generation: str, records: Sequence[Recorded]) -> Mapping[Position, Exception]:
        """Add the increments of events that were not added before."""
        failures: dict[Position, Exception] = {}
        parts: list[Chunk] = []
        for stream in by_stream(records).values():
            for record in filter(self._counting.counts, stream):
                try:
                    parts += self._chunks(generation, record, self._history(record, stream))
                except Exception as failure:
                    failures[record.stream, record.version] = failure
        until = time.monotonic() + PATIENCE_SECONDS
        for together in transactions(parts):
            try:
                self._add(generation, together, until)
            except Exception as failure:
                failures |= {chunk.position: failure for chunk in together}
        return failures

    def differing(self, generation: str, histories: Iterable[Sequence[Recorded]]) -> list[str]:
        """The streams of whose events a marker is missing, or says that something else was added."""
        expected = [
            chunk
            for history in histories
            for record in filter(self._counting.counts, history)
            for chunk in self._chunks(generation, record, _up_to(record, history))
        ]
        markers = items(self._client, self._store.table, (chunk.marker for chunk in expected))
        wrong = (
            chunk.position[0]
            for chunk in expected
            if decode(markers.get(chunk.marker, {})).get(chunk.mark) != chunk.content
        )
        return list(dict.fromkeys(wrong))

    def _history(self, record: Recorded, delivered: Sequence[Recorded]) -> History:
        """A stream up to an event: what was delivered of it, if that is all of it, else what the log has."""
        if delivered[record.version - 1 : record.version] == [record]:
            return _up_to(record, delivered)

        def read() -> Sequence[Recorded]:
            history = self._store.read(record.stream)
            if len(history) < record.version:
                raise LogBehind(f"{record.stream} has no version {record.version} yet")
            return history[: record.version]

        return read

    def _chunks(self, generation: str, record: Recorded, history: History) -> Iterator[Chunk]:
        marker = keys.applied_marker(self._counting.name, generation, record.stream, record.version)
        return chunks((record.stream, record.version), marker, self._counting.increments(record, history))

    def _add(self, generation: str, parts: list[Chunk], until: float) -> None:
        """Add chunks to the counters, and leave out those that were added before; retry conflicts until that time.

        Raises:
            Retryable: try again; `Contended` after too many conflicts with other transactions.
        """
        busy: type[Retryable] | None = None
        for attempt in range(MAX_CONFLICTS):
            if busy and time.monotonic() > until:
                break
            if busy:
                wait(attempt)
            marked = _by_marker(parts)
            try:
                with classified():
                    self._client.transact_write_items(
                        TransactItems=[*map(self._mark, marked.values()), *self._additions(generation, parts)]
                    )
            except self._client.exceptions.TransactionCanceledException as failure:
                reasons: Sequence[Mapping[str, Any]] = failure.response["CancellationReasons"]
                markers = {key: reason.get("Item", {}) for key, reason in zip(marked, reasons, strict=False)}
                left = [chunk for chunk in parts if chunk.mark not in markers[chunk.marker]]
                busy = meaning(reason.get("Code", "") for reason in reasons)
                if len(left) == len(parts) and not busy:
                    raise
                parts = left
                if not parts:
                    return
                continue
            return
        raise (busy or Contended)(f"the counters of {self._counting.name} are being written by too many others")

    def _mark(self, parts: Sequence[Chunk]) -> Any:
        """Add to a marker that these chunks are added, unless one is; what it says then comes back."""
        marks = [chunk.mark for chunk in parts]
        return {
            "Update": {
                "TableName": self._store.table,
                "Key": parts[0].marker.attributes,
                "UpdateExpression": "SET " + ", ".join(f"#{mark} = :{mark}" for mark in marks),
                "ConditionExpression": " AND ".join(f"attribute_not_exists({mark})" for mark in marks),
                "ExpressionAttributeNames": {f"#{mark}": mark for mark in marks},
                "ExpressionAttributeValues": encode({f":{chunk.mark}": chunk.content for chunk in parts}),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _additions(self, generation: str, parts: Iterable[Chunk]) -> Iterator[Any]:
        sums: dict[CounterKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for chunk in parts:
            for key, counters in chunk.increments.items():
                for name, number in counters.items():
                    sums[key][name] += number
        for key, counters in sums.items():
            yield {
                "Update": {
                    "TableName": self._store.table,
                    "Key": keys.counter(f"{self._counting.views.prefix}{key.view}", generation, key.detail).attributes,
                    "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in counters),
                    "ExpressionAttributeNames": {f"#{name}": name for name in counters},
                    "ExpressionAttributeValues": encode({f":{name}": number for name, number in counters.items()}),
                }
            }


def _by_marker(parts: Iterable[Chunk]) -> dict[Key, list[Chunk]]:
    marked: dict[Key, list[Chunk]] = defaultdict(list)
    for chunk in parts:
        marked[chunk.marker].append(chunk)
    return marked


def _up_to(record: Recorded, history: Sequence[Recorded]) -> History:
    """The history of an event whose stream was read."""
    return lambda: history[: record.version]
