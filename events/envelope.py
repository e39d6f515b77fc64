"""The envelope: metadata around a domain event, in the log and on the bus."""

from typing import Annotated, Literal, NamedTuple
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field
from pydantic_core import from_json

from events.model import DomainEvent, Model

_EVENT_IDS = UUID("6f9c2f0e-6d0b-4d0c-9a53-0a5a3e6a0f10")


def event_id(stream: str, version: int) -> str:
    """The id of the event at that place in the log. A republished event keeps its id."""
    return str(uuid5(_EVENT_IDS, f"{stream}/{version}"))


Door = Literal["bus", "http", "file", "command line", "saga", "subscriber"]

Principal = Annotated[str, Field(min_length=1, max_length=2048)]
"""As long as an ARN may be."""


class Actor(Model):
    """Who caused an event, not who delivered it: it stays the same through redelivery, redrive and replay.

    ``principal`` is who it was at that door:

    - bus: the publisher's name and its source, ``demo/com.example.web``
    - http: the shop and its client, ``demo/1example23``; of an operator, the token's subject
    - file: the shop and its folder, ``demo/demo``
    - command line: the operator's ARN
    - saga, subscriber: the function, ``payments_service``
    """

    door: Door
    principal: Principal


class Metadata(Model):
    """The place of an event in the log, when it happened (UTC), what it belongs to and follows from, and who caused it.

    ``redriven_by`` is the operator who redrove the message that the event comes from, if one did.
    """

    event_id: str
    stream: str
    version: Annotated[int, Field(ge=1)]
    schema_version: Annotated[int, Field(ge=1)]
    occurred_at: AwareDatetime
    correlation_id: str
    causation_id: str
    actor: Actor
    redriven_by: Principal | None = None


class Recorded(NamedTuple):
    """An event as the log holds it. The metadata stays JSON until somebody asks: most readers fold the events alone."""

    event: DomainEvent
    stream: str
    version: int
    metadata_json: str

    @property
    def event_id(self) -> str:
        """The event's id, which follows from its place in the log."""
        return event_id(self.stream, self.version)

    @property
    def occurred_at(self) -> str:
        """When it happened: UTC, ISO 8601, as recorded."""
        at: str = from_json(self.metadata_json)["occurred_at"]
        return at

    @property
    def metadata(self) -> Metadata:
        """The event's metadata, parsed."""
        return Metadata.model_validate_json(self.metadata_json)
