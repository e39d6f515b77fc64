"""Events as the log holds them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from events.envelope import Actor, Metadata, Recorded, event_id
from events.model import DomainEvent
from handlers.table import keys

ACTOR = Actor(door="subscriber", principal="unit")
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def names(events: Iterable[DomainEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def record(event: DomainEvent, stream: str, version: int, at: datetime = START, causation_id: str = "test") -> Recorded:
    """An event as the log would hold it, a second after the version before."""
    metadata = Metadata(
        event_id=event_id(stream, version),
        stream=stream,
        version=version,
        schema_version=event.schema_version,
        occurred_at=at + timedelta(seconds=version),
        correlation_id="test",
        causation_id=causation_id,
        actor=ACTOR,
    )
    return Recorded(event, stream, version, metadata.model_dump_json(exclude_none=True))


def image(event: Recorded) -> dict[str, Any]:
    """The item of an event."""
    return {
        **keys.event(event.stream, event.version).attributes,
        "type": {"S": type(event.event).__name__},
        "schema_version": {"N": str(event.event.schema_version)},
        "data": {"S": event.event.model_dump_json(exclude_none=True)},
        "metadata": {"S": event.metadata_json},
    }
