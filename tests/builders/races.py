"""Event stores on which something else happens between a read and an append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderConfirmed
from handlers.table.event_store import EventStore, New
from tests.builders.recorded_events import ACTOR
from tests.builders.stores import append

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class Raced(EventStore):
    """A store on whose reads and appends something happens, such as another being quicker, or an exception.

    ``after_read`` is called with a stream that has been read, ``before_append`` with the stream and version.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        after_read: Callable[[str], object] = lambda stream: None,
        before_append: Callable[[str, int], object] = lambda stream, version: None,
    ) -> None:
        super().__init__(store.client, store.table, ACTOR, store.clock)
        self._after_read = after_read
        self._before_append = before_append

    def read(self, stream: str, *, after: int = 0) -> list[Recorded]:
        history = super().read(stream, after=after)
        self._after_read(stream)
        return history

    def append(
        self, stream: str, version: int, event: DomainEvent, *, correlation_id: str, causation_id: str
    ) -> Recorded:
        self._before_append(stream, version)
        return super().append(stream, version, event, correlation_id=correlation_id, causation_id=causation_id)

    def append_with(
        self,
        stream: str,
        version: int,
        event: DomainEvent,
        changes: Sequence[TransactWriteItemTypeDef],
        *,
        correlation_id: str,
        causation_id: str,
    ) -> Recorded:
        self._before_append(stream, version)
        return super().append_with(
            stream, version, event, changes, correlation_id=correlation_id, causation_id=causation_id
        )

    def append_together(self, events: Sequence[New], *, correlation_id: str, causation_id: str) -> list[Recorded]:
        for new in events:
            self._before_append(new.stream, new.version)
        return super().append_together(events, correlation_id=correlation_id, causation_id=causation_id)


def cancelled_meanwhile(store: EventStore, order_id: str = "demo.o1") -> EventStore:
    """A store in which the order is placed when it is read for the first time, and being cancelled from then on."""
    started = OrderCancellationStarted(order_id=order_id, reason="CancellationRequested")
    return _meanwhile(store, order_id, started)


def confirmed_meanwhile(store: EventStore, order_id: str = "demo.o1") -> EventStore:
    """A store in which the order is placed when it is read for the first time, and confirmed from then on."""
    return _meanwhile(store, order_id, OrderConfirmed(order_id=order_id))


def _meanwhile(store: EventStore, order_id: str, event: DomainEvent) -> EventStore:
    stream = streams.order(order_id)

    def after_read(read: str) -> None:
        if read == stream and len(store.read(stream)) == 1:
            append(store, stream, event)

    return Raced(store, after_read=after_read)
