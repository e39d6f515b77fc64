"""The outcome of an order: confirmed or cancelled, never both. Both need the next version of the order's stream."""

from collections.abc import Sequence

from events import streams
from events.envelope import Recorded, event_id
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationRefused,
    OrderCancellationStarted,
    OrderCancelled,
    OrderConfirmed,
)
from handlers.ordering.order import Order, Status, load
from handlers.ordering.refusals import AlreadyCancelled, AlreadyCaptured, AlreadyConfirmed, OrderCancelling
from handlers.payments.conditions import not_captured
from handlers.runtime.observability import count
from handlers.table.event_store import ConditionsFailed, Conflict, EventStore

DISPATCHED = "the order is dispatched"


def confirm_order(store: EventStore, order_id: str) -> OrderConfirmed:
    """Confirm an order whose every step is done. Needs no read: only ``OrderPlaced`` comes before.

    Raises:
        OrderCancelling: a cancellation came first.
    """
    stream = streams.order(order_id)
    in_log = store.append_if_absent(
        stream, 2, OrderConfirmed(order_id=order_id), correlation_id=order_id, causation_id=event_id(stream, 1)
    ).record.event
    if not isinstance(in_log, OrderConfirmed):
        raise OrderCancelling(f"a cancellation of order {order_id} came first")
    count("OrdersConfirmed")
    return in_log


def start_cancellation(store: EventStore, order_id: str, reason: str) -> None:
    """From here on the order can only be cancelled.

    Raises:
        OrderNotFound: there is no such order.
        AlreadyConfirmed: the order was confirmed first.
        AlreadyCancelled: there is nothing left to undo.
        AlreadyCaptured: the payment is captured, so the order goes forward.
    """
    order = load(store, order_id)
    if order.status is Status.PLACED:
        try:
            _append_cancellation(store, order, reason)
        except Conflict:
            start_cancellation(store, order_id, reason)
    elif order.status is Status.CONFIRMED:
        raise AlreadyConfirmed(f"order {order_id} was confirmed first")
    elif order.status is Status.CANCELLED:
        raise AlreadyCancelled(f"order {order_id} is cancelled: {order.reason}")


def _append_cancellation(store: EventStore, order: Order, reason: str) -> None:
    """Append the event unless a capture is in the log, atomically: another execution may be about to confirm."""
    order_id = order.placed.order_id
    event = OrderCancellationStarted(order_id=order_id, reason=reason)
    condition = not_captured(store.table, order_id)
    try:
        store.append_with(streams.order(order_id), order.version + 1, event, [condition], **order.correlation)
    except ConditionsFailed as failure:
        raise AlreadyCaptured(f"the payment of order {order_id} is captured") from failure


def cancel_order(store: EventStore, order_id: str) -> OrderCancelled:
    """Cancel an order whose every step is undone, for the reason that the log gives.

    Returns the event in the log.

    Raises:
        OrderNotFound: there is no such order.
        RuntimeError: nobody started to cancel it: a bug in the saga.
    """
    order = load(store, order_id)
    if order.reason is None:
        raise RuntimeError(f"order {order_id} is {order.status}, not being cancelled")
    cancelled = OrderCancelled(order_id=order_id, reason=order.reason)
    if order.status is Status.CANCELLING:
        in_log = store.append_if_absent(
            streams.order(order_id), order.version + 1, cancelled, **order.correlation
        ).record.event
        if in_log != cancelled:
            raise RuntimeError(f"order {order_id} is being cancelled, but has {type(in_log).__name__} next")
    count("OrdersCancelled", reason=cancelled.reason)
    return cancelled


def refuse_cancellation(store: EventStore, order_id: str) -> None:
    """Answer who asked to cancel that it is too late; do nothing where nobody asked. Doing it again changes nothing.

    Raises:
        Retryable: try again.
    """

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        match history:
            case [Recorded(CancellationRequested())]:
                return [OrderCancellationRefused(order_id=order_id, reason=DISPATCHED)]
        return []

    stream = streams.cancellation(order_id)
    store.execute(stream, decide, correlation_id=order_id, causation_id=event_id(stream, 1))
