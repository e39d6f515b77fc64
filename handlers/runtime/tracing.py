"""What the traces of sampled calls hold of errors: where one occurred, and its class, and no more of it."""

from __future__ import annotations

from typing import Any, Protocol


class Emitter(Protocol):
    """Sends segments of traces, as the X-Ray SDK has them."""

    def send_entity(self, entity: Any) -> None:
        """Send a segment, or a part of one, and all below it."""


class WithoutMessages:
    """Sends them without the messages of errors, which may quote an address, or a whole request."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def send_entity(self, entity: Any) -> None:
        """Send a segment, or a part of one, and all below it."""
        _forget_messages(entity)
        self._emitter.send_entity(entity)


def _forget_messages(entity: Any) -> None:
    # Where an error was recorded further down, its id alone is here.
    if isinstance(entity.cause, dict):
        for error in entity.cause.get("exceptions", ()):
            error.message = None
    for part in entity.subsegments:
        _forget_messages(part)
