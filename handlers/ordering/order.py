"""An order, folded from its stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from events import streams
from events.envelope import Recorded, event_id
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced
from handlers.ordering.refusals import OrderCancelling, OrderNotFound
from handlers.table.event_store import EventStore


class Status(StrEnum):
    """The status of an order. Confirmed and cancelled exclude each other."""

    PLACED = "PLACED"
    CONFIRMED = "CONFIRMED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered, and its status. ``reason`` is why it is being cancelled."""

    placed: OrderPlaced
    status: Status
    version: int
    reason: str | None = None

    @property
    def correlation(self) -> dict[str, str]:
        """Metadata for what follows from this order."""
        return {
            "correlation_id": self.placed.order_id,
            "causation_id": event_id(streams.order(self.placed.order_id), self.version),
        }


def fold(history: Sequence[Recorded]) -> Order | None:
    """The order folded from its stream, or None where the stream is empty."""
    if not history:
        return None
    placed = history[0].event
    assert isinstance(placed, OrderPlaced)
    status = Status.PLACED
    reason: str | None = None
    for record in history[1:]:
        match record.event:
            case OrderConfirmed():
                status = Status.CONFIRMED
            case OrderCancellationStarted(reason=why):
                status, reason = Status.CANCELLING, why
            case OrderCancelled():
                status = Status.CANCELLED
    return Order(placed, status, history[-1].version, reason)


def load(store: EventStore, order_id: str) -> Order:
    """The order as the log has it now.

    Raises:
        OrderNotFound: its stream is empty.
    """
    order = fold(store.read(streams.order(order_id)))
    if order is None:
        raise OrderNotFound(f"there is no order {order_id!r}")
    return order


def load_going_forward(store: EventStore, order_id: str) -> Order:
    """The order, for a step that goes forward.

    Raises:
        OrderNotFound: its stream is empty.
        OrderCancelling: it is being cancelled, or is cancelled.
    """
    order = load(store, order_id)
    if order.status in {Status.CANCELLING, Status.CANCELLED}:
        raise OrderCancelling(f"order {order_id} is {order.status}: {order.reason}")
    return order


def refuse_if_cancelling(store: EventStore, order_id: str, closed: str) -> None:
    """Refuse a forward step that finds closed what it needs, where the log, read again, says that the order is being
    cancelled. A confirmed order is not refused: its shipment is being recalled, and the step was done long before.

    Args:
        closed: what is closed, for people.

    Raises:
        OrderCancelling: the order is being cancelled, or is cancelled.
        RuntimeError: it is neither being cancelled nor confirmed: nothing explains why it is closed.
    """
    if load_going_forward(store, order_id).status is Status.PLACED:
        raise RuntimeError(f"{closed} of order {order_id} is closed, though nobody cancels the order")
