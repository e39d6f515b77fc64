"""Reserving and releasing stock. Each level changes in one transaction with the event that explains it."""

from events import streams
from events.inventory import ReservationRefused, StockReserved
from events.model import DomainEvent
from handlers.inventory import stock_levels
from handlers.inventory.refusals import OutOfStock
from handlers.inventory.reservation import chunks, fold, next_release
from handlers.ordering.order import Order, Status, load, refuse_if_cancelling
from handlers.ordering.refusals import AlreadyCancelled, AlreadyConfirmed, OrderCancelling
from handlers.retry_policy import MAX_CONFLICTS, Contended
from handlers.table.event_store import ConditionsFailed, Conflict, EventStore


def reserve_stock(store: EventStore, order_id: str) -> None:
    """Reserve an order's stock, all or nothing per chunk of 99 SKUs.

    Raises:
        OrderNotFound: there is no such order.
        AlreadyConfirmed, AlreadyCancelled: the order is finished.
        OrderCancelling: a cancellation came first.
        OutOfStock: there is not enough; the log names the SKUs. Chunks already reserved wait for the release.
        Retryable: try again.
    """
    order = load(store, order_id)
    if order.status is Status.CONFIRMED:
        raise AlreadyConfirmed(f"order {order_id} is confirmed")
    if order.status is Status.CANCELLED:
        raise AlreadyCancelled(f"order {order_id} is cancelled: {order.reason}")
    if order.status is Status.CANCELLING:
        raise OrderCancelling(f"order {order_id} is being cancelled: {order.reason}")
    parts = chunks(order.placed.lines)
    for chunk, lines in enumerate(parts, start=1):
        event = StockReserved(order_id=order_id, chunk=chunk, chunks=len(parts), lines=lines)
        in_log = _reserve(store, order, event)
        if isinstance(in_log, ReservationRefused):
            raise OutOfStock(f"order {order_id}: not enough of {', '.join(in_log.skus)}")
        if not isinstance(in_log, StockReserved):
            refuse_if_cancelling(store, order_id, "the reservation")


def _reserve(store: EventStore, order: Order, event: StockReserved) -> DomainEvent:
    """Reserve one chunk, or record that there is not enough; returns the event that the log has for the chunk."""
    stream = streams.reservation(event.order_id)
    try:
        return store.append_with(
            stream, event.chunk, event, stock_levels.take(store.table, event.lines), **order.correlation
        ).event
    except Conflict as conflict:
        return conflict.existing.event
    except ConditionsFailed as short:
        skus = tuple(event.lines[index].sku for index in short.failed)
        refused = ReservationRefused(order_id=event.order_id, skus=skus)
        return store.append_if_absent(stream, event.chunk, refused, **order.correlation).record.event


def release_stock(store: EventStore, order_id: str) -> None:
    """Release everything reserved for an order, and close its reservation. Doing it again changes nothing.

    Raises:
        OrderNotFound: there is no such order.
        Retryable: try again.
    """
    order = load(store, order_id)
    stream = streams.reservation(order_id)
    for _ in range(MAX_CONFLICTS):
        reservation = fold(store.read(stream))
        try:
            while event := next_release(reservation, order_id):
                new = store.append_with(
                    stream,
                    reservation.version + 1,
                    event,
                    stock_levels.put_back(store.table, event.lines),
                    **order.correlation,
                )
                reservation.reserved.pop(event.chunk, None)
                reservation.closed, reservation.version = True, new.version
        except Conflict:
            continue
        return
    raise Contended(f"{stream} is being written by too many others")
