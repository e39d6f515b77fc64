"""Invariant 6: one outcome. Every order is confirmed or cancelled in the end, in a stream without gaps.

A confirmed order is cancelled with its shipment, or not at all: never one that is dispatched.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from events.envelope import Recorded, event_id
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
)
from events.shipping import ShipmentCancelled, ShipmentDispatched
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.run import Run

_HISTORIES: tuple[list[type[DomainEvent]], ...] = (
    [OrderPlaced, OrderConfirmed],
    [OrderPlaced, OrderCancellationStarted, OrderCancelled],
    [OrderPlaced, OrderConfirmed, OrderCancellationStarted, OrderCancelled],
)
_UNFINISHED: tuple[list[type[DomainEvent]], ...] = (
    [OrderPlaced],
    [OrderPlaced, OrderCancellationStarted],
    [OrderPlaced, OrderConfirmed, OrderCancellationStarted],
)
"""What an order's stream may hold, in the end and before."""


def check(run: Run) -> Iterator[Finding]:
    """Orders without an outcome or with two, and streams that are not in order."""
    for stream, records in run.streams.items():
        yield from disorder(stream, records)
    for stream in (stream for stream in run.streams if stream.startswith("order#")):
        history: list[type[DomainEvent]] = [type(record.event) for record in run.streams[stream]]
        shipment = [type(event) for event in run.events("shipment", stream.partition("#")[2])]
        if ShipmentDispatched in shipment and history != [OrderPlaced, OrderConfirmed]:
            yield Finding(6, stream, f"is dispatched, but not confirmed: {_names(history)}")
        if ShipmentCancelled in shipment and history == [OrderPlaced, OrderConfirmed]:
            yield Finding(6, stream, "is confirmed, but its shipment is cancelled")
        asked = [type(event) for event in run.events("cancellation", stream.partition("#")[2])]
        if asked == [CancellationRequested] and history == [OrderPlaced, OrderConfirmed]:
            yield Finding(6, stream, "a request to cancel it has no answer")
        if history in _UNFINISHED:
            where = run.unfinished_sagas.get(stream.partition("#")[2], "not to be found")
            yield Finding(6, stream, f"has no outcome: {_names(history)}; its saga: {where}")


def disorder(stream: str, records: Sequence[Recorded]) -> Iterator[Finding]:
    """What is wrong with the order of a stream's events: gaps, events out of place, a history that cannot be."""
    history: list[type[DomainEvent]] = [type(record.event) for record in records]
    if stream.startswith("order#") and history not in (*_HISTORIES, *_UNFINISHED):
        yield Finding(6, stream, f"its events are in no possible order: {_names(history)}")
    versions = [record.version for record in records]
    if versions != list(range(1, len(records) + 1)):
        yield Finding(6, stream, f"its versions are not 1 to {len(records)}: {versions}")
    for record in records:
        place = (record.metadata.stream, record.metadata.version)
        if (record.stream, record.version) != place or record.metadata.event_id != event_id(*place):
            yield Finding(6, stream, f"version {record.version} says it is {record.metadata.event_id} at {place}")
    for before, after in pairwise(records):
        if after.metadata.occurred_at < before.metadata.occurred_at:
            yield Finding(6, stream, f"version {after.version} occurred before version {before.version}")


def _names(history: Sequence[type]) -> str:
    return ", ".join(event.__name__ for event in history)
