"""Views that count. An event's share of them is applied together with a marker that says so, in one transaction.

The shares of several events go into one transaction as far as they fit, so that counters they have in common are
written once. An event whose share is too large for one is applied in pieces, each with a marker of its own.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from events.envelope import Recorded
from events.model import DomainEvent
from handlers.projections.counter_items import Views
from handlers.projections.engine.projection import Behind, Count, Definition, Item, Place, by_stream
from handlers.table import keys
from handlers.table.batch_reading import items
from handlers.table.codec import decode, encode, numbers
from handlers.table.event_store import EventStore
from handlers.table.keys import Key
from handlers.table.retrying import (
    MAX_CONFLICTS,
    PATIENCE_SECONDS,
    Contended,
    Retryable,
    classified,
    meaning,
    wait,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_ITEMS = 100
"""How many items a transaction may write."""


class Cell(NamedTuple):
    """An item that counts: the view it is part of, and what in it, where a view has several items."""

    view: str
    detail: str = ""


History = Callable[[], Sequence[Recorded]]
"""Gives the events of an event's stream, from the first up to itself."""

Share = Mapping[Cell, Mapping[str, int]]
"""What an event adds to counters, by name: it may be negative."""


@dataclass(frozen=True, slots=True)
class Counting:
    """What a projection counts.

    ``share`` says what an event of one of ``events`` adds to its ``views``, from the event and the history of its
    stream, and from nothing else.
    """

    views: Views
    events: tuple[type[DomainEvent], ...]
    share: Callable[[Recorded, History], Share]

    @property
    def definition(self) -> Definition:
        """The projection that counts this."""
        return Definition(self.views.projection, self.events, partial(CountingViews, self), self.counted)

    def counts(self, record: Recorded) -> bool:
        """Whether an event adds something, or may."""
        return isinstance(record.event, self.events)

    def counted(self, histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
        """What these streams, each given whole, add to counters."""
        for history in histories:
            for record in filter(self.counts, history):
                for cell, counters in self.share(record, _up_to(record, history)).items():
                    for name, number in counters.items():
                        yield Count(f"{self.views.prefix}{cell.view}", cell.detail, name, number)


@dataclass(frozen=True)
class Piece:
    """As much of an event's share as a transaction takes, and where its marker says so."""

    place: Place
    marker: Key
    share: Share

    @cached_property
    def content(self) -> str:
        """A hash of what it adds."""
        adds = [[*cell, sorted(counters.items())] for cell, counters in sorted(self.share.items())]
        return blake2b(json.dumps(adds).encode(), digest_size=16).hexdigest()


class CountingViews:
    """Keeps the views of a projection that counts.

    Args:
        counting: what it counts.
        store: the log, read where a share depends on what went before; the views are items of the same table.
    """

    def __init__(self, counting: Counting, store: EventStore) -> None:
        self._counting = counting
        self._store = store
        self._client: DynamoDBClient = store.client
        self._views = counting.views.prefix

    @property
    def name(self) -> str:
        """What the projection is called."""
        return self._counting.views.projection

    def apply(self, generation: str, records: Sequence[Recorded]) -> Mapping[Place, Exception]:
        """Apply the shares of events that were not applied before."""
        failures: dict[Place, Exception] = {}
        pieces: list[Piece] = []
        for stream in by_stream(records).values():
            for record in filter(self._counting.counts, stream):
                try:
                    pieces += self._pieces(generation, record, self._history(record, stream))
                except Exception as failure:
                    failures[record.stream, record.version] = failure
        until = time.monotonic() + PATIENCE_SECONDS
        for together in packed(pieces):
            try:
                self._add(generation, together, until)
            except Exception as failure:
                failures |= {piece.place: failure for piece in together}
        return failures

    def owns(self, generation: str, item: Item) -> bool:
        """Whether an item is a counter, or a marker, of that generation."""
        key = Key.of(item)
        if key.pk.startswith(self._views):
            return keys.generation_of(key.sk) == generation
        return key.pk.startswith(keys.applied(self.name, generation))

    def differing(self, generation: str, histories: Iterable[Sequence[Recorded]]) -> list[str]:
        """The streams of whose events a marker is missing, or says that something else was added."""
        pieces = [
            piece
            for history in histories
            for record in filter(self._counting.counts, history)
            for piece in self._pieces(generation, record, _up_to(record, history))
        ]
        markers = items(self._client, self._store.table, (piece.marker for piece in pieces))
        wrong = (
            piece.place[0] for piece in pieces if decode(markers.get(piece.marker, {})).get("content") != piece.content
        )
        return list(dict.fromkeys(wrong))

    def claims(self, item: Item) -> Iterator[Place]:
        """The event that a marker stands for."""
        if not Key.of(item).pk.startswith(self._views):
            marker = decode(item)
            yield marker["stream"], marker["version"]

    def counted(self, histories: Iterable[Sequence[Recorded]]) -> Iterator[Count]:
        """What these streams add to counters."""
        return self._counting.counted(histories)

    def held(self, _generation: str, item: Item) -> Iterator[Count]:
        """The counters in an item of a generation; a marker has none."""
        view, sort_key = Key.of(item)
        if view.startswith(self._views):
            for name, number in numbers(item).items():
                yield Count(view, keys.detail_of(sort_key), name, number)

    def _history(self, record: Recorded, delivered: Sequence[Recorded]) -> History:
        """A stream up to an event: what was delivered of it, if that is all of it, else what the log has."""
        if delivered[record.version - 1 : record.version] == [record]:
            return _up_to(record, delivered)

        def read() -> Sequence[Recorded]:
            history = self._store.read(record.stream)
            if len(history) < record.version:
                raise Behind(f"{record.stream} has no version {record.version} yet")
            return history[: record.version]

        return read

    def _pieces(self, generation: str, record: Recorded, history: History) -> Iterator[Piece]:
        share = self._counting.share(record, history)
        cells = sorted(share)
        most = MOST_ITEMS - 1
        for number, start in enumerate(range(0, len(cells), most), start=1):
            marker = keys.applied_marker(self.name, generation, record.event_id, number)
            part = {cell: share[cell] for cell in cells[start : start + most]}
            yield Piece((record.stream, record.version), marker, part)

    def _add(self, generation: str, pieces: list[Piece], until: float) -> None:
        """Add pieces to the counters, and leave out those that were added before; wait for others until that time.

        Raises:
            Retryable: try again; `Contended` after too many conflicts with other transactions.
        """
        busy: type[Retryable] | None = None
        for attempt in range(MAX_CONFLICTS):
            if busy and time.monotonic() > until:
                break
            if busy:
                wait(attempt)
            try:
                with classified():
                    self._client.transact_write_items(
                        TransactItems=[*map(self._mark, pieces), *self._additions(generation, pieces)]
                    )
            except self._client.exceptions.TransactionCanceledException as failure:
                reasons: Sequence[Mapping[str, Any]] = failure.response["CancellationReasons"]
                codes = [reason.get("Code") for reason in reasons[: len(pieces)]]
                before = [code == "ConditionalCheckFailed" for code in codes]
                pieces = [piece for piece, added in zip(pieces, before, strict=True) if not added]
                busy = meaning(reason.get("Code", "") for reason in reasons)
                if not any(before) and not busy:
                    raise
                if not pieces:
                    return
                continue
            return
        raise (busy or Contended)(f"the counters of {self.name} are being written by too many others")

    def _mark(self, piece: Piece) -> Any:
        stream, version = piece.place
        item = {
            **piece.marker.attributes,
            **encode({"stream": stream, "version": version, "content": piece.content}),
        }
        return {
            "Put": {"TableName": self._store.table, "Item": item, "ConditionExpression": "attribute_not_exists(PK)"}
        }

    def _additions(self, generation: str, pieces: Iterable[Piece]) -> Iterator[Any]:
        sums: dict[Cell, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for piece in pieces:
            for cell, counters in piece.share.items():
                for name, number in counters.items():
                    sums[cell][name] += number
        for cell, counters in sums.items():
            yield {
                "Update": {
                    "TableName": self._store.table,
                    "Key": keys.counter(f"{self._views}{cell.view}", generation, cell.detail).attributes,
                    "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in counters),
                    "ExpressionAttributeNames": {f"#{name}": name for name in counters},
                    "ExpressionAttributeValues": encode({f":{name}": number for name, number in counters.items()}),
                }
            }


def packed(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces put together, as many as one transaction takes: an item for each marker, and for each cell.

    Those that begin in the same view go together: they have counters in common, and transactions of different views do
    not get in each other's way.
    """
    together: list[Piece] = []
    cells: set[Cell] = set()
    for piece in sorted(pieces, key=lambda piece: min(piece.share).view):
        if together and min(piece.share).view != min(together[0].share).view:
            yield together
            together, cells = [], set()
        if together and len(together) + 1 + len(cells | piece.share.keys()) > MOST_ITEMS:
            yield together
            together, cells = [], set()
        together.append(piece)
        cells |= piece.share.keys()
    if together:
        yield together


def _up_to(record: Recorded, history: Sequence[Recorded]) -> History:
    return lambda: history[: record.version]
