"""Invariant 6: one outcome. Every order is confirmed or cancelled, never both, in a stream without gaps."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from events.envelope import Recorded, event_id
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced
from infra.local.audit.run import Finding, Run

_LIVES: tuple[list[type[DomainEvent]], ...] = (
    [OrderPlaced, OrderConfirmed],
    [OrderPlaced, OrderCancellationStarted, OrderCancelled],
)
"""What an order's stream holds in the end."""


def check(run: Run) -> Iterator[Finding]:
    """Orders without an outcome or with two, and streams that are not in order."""
    for stream, records in run.streams.items():
        yield from _order_of(stream, records)
    for stream in (stream for stream in run.streams if stream.startswith("order#")):
        life: list[type[DomainEvent]] = [type(record.event) for record in run.streams[stream]]
        if {OrderConfirmed, OrderCancelled} <= set(life):
            yield Finding(6, stream, f"is confirmed and cancelled both: {_names(life)}")
        elif life in ([OrderPlaced], [OrderPlaced, OrderCancellationStarted]):
            where = run.standing.get(stream.partition("#")[2], "not to be found")
            yield Finding(6, stream, f"has no outcome: {_names(life)}; its saga: {where}")
        elif life not in _LIVES:
            yield Finding(6, stream, f"is no life of an order: {_names(life)}")


def _order_of(stream: str, records: Sequence[Recorded]) -> Iterator[Finding]:
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


def _names(life: Sequence[type]) -> str:
    return ", ".join(event.__name__ for event in life)
