"""The envelope: metadata around a domain event, in the log and on the bus."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field

from events.model import DomainEvent, Model

_EVENT_IDS = UUID("6f9c2f0e-6d0b-4d0c-9a53-0a5a3e6a0f10")


def event_id(stream: str, version: int) -> str:
    """The id of the event at that place in the log. A republished event keeps its id."""
    return str(uuid5(_EVENT_IDS, f"{stream}/{version}"))


class Metadata(Model):
    """Where an event stands, when it happened (UTC), and what it belongs to and follows from."""

    event_id: str
    stream: str
    version: Annotated[int, Field(ge=1)]
    schema_version: Annotated[int, Field(ge=1)]
    occurred_at: AwareDatetime
    correlation_id: str
    causation_id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the log holds it."""

    event: DomainEvent
    metadata: Metadata

    @property
    def stream(self) -> str:
        """The stream the event belongs to."""
        return self.metadata.stream

    @property
    def version(self) -> int:
        """The event's number in its stream, from 1."""
        return self.metadata.version
