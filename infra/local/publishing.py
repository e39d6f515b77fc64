"""Publishing integration events as any publisher does: PutEvents on the intake bus, and again what it did not take."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

MAX_ENTRIES = 10
MAX_BYTES = 256 * 1024
"""What one PutEvents call may hold.
Source: EventBridge user guide, "Calculating PutEvents event entry size"."""

_SOURCE = "local.run"
_TRIES = 8
_FIRST_WAIT_SECONDS = 0.05


class Unpublishable(Exception):
    """The bus does not take an entry; the message names it."""


@dataclass(frozen=True, slots=True)
class Message:
    """An integration event: its type, and its detail as JSON."""

    detail_type: str
    detail: str

    @classmethod
    def of(cls, detail_type: str, detail: Any) -> Message:
        """The message with ``detail``, any JSON value, in it."""
        return cls(detail_type, json.dumps(detail, separators=(",", ":"), ensure_ascii=False))

    @property
    def size(self) -> int:
        """Its size in bytes, as EventBridge counts an entry."""
        return len(_SOURCE) + len(self.detail_type) + len(self.detail.encode())


def batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Messages in batches that a PutEvents call takes. A message too large for any is in a batch of its own."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == MAX_ENTRIES or size + message.size > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size
    if batch:
        yield batch


def publish(client: EventBridgeClient, bus: str, messages: Sequence[Message]) -> Iterator[tuple[Message, datetime]]:
    """Publish messages; yields each as it was taken, with the moment just before it was put.

    Raises:
        Unpublishable: an entry was not taken in several tries.
    """
    for batch in batches(messages):
        waiting, wait = batch, _FIRST_WAIT_SECONDS
        for _ in range(_TRIES):
            at = datetime.now(UTC)
            answer = client.put_events(Entries=[_entry(bus, message) for message in waiting])
            results = list(zip(waiting, answer["Entries"], strict=True))
            yield from ((message, at) for message, result in results if "ErrorCode" not in result)
            waiting = [message for message, result in results if "ErrorCode" in result]
            if not waiting:
                break
            time.sleep(wait)
            wait *= 2
        else:
            raise Unpublishable(f"{len(waiting)} entries were not taken by {bus}, the first {waiting[0].detail[:200]}")


def _entry(bus: str, message: Message) -> PutEventsRequestEntryTypeDef:
    return {"EventBusName": bus, "Source": _SOURCE, "DetailType": message.detail_type, "Detail": message.detail}
