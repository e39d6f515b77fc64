"""Replenishment: each time a SKU falls low, more is ordered from a supplier, whose delivery fulfils the order.

A supplier answers a purchase order with a delivery under the order's id. Whichever is recorded second, the order or the
last chunk of the delivery, finds the other in the log, and the order is fulfilled.
"""

from hashlib import sha256

from events import streams
from events.envelope import Recorded
from events.inventory import MAX_PIECES, PurchaseOrderFulfilled, PurchaseOrderPlaced, StockLow, StockReceived
from handlers.runtime.observability import about, logger
from handlers.table.event_store import Appended, EventStore

_MAX_ID = 64
_HASHED = 40
_THRESHOLDS = 3


def purchase_order(low: StockLow) -> PurchaseOrderPlaced:
    """What to order when a SKU has fallen low: one purchase order per crossing, up to three times the threshold."""
    return PurchaseOrderPlaced(
        purchase_order_id=_id(low.sku, low.level_version),
        sku=low.sku,
        quantity=min(_THRESHOLDS * low.threshold - low.available, MAX_PIECES),
    )


def _id(sku: str, level_version: int) -> str:
    """A different id for each crossing of each SKU; one that would be too long is a hash behind another prefix."""
    crossing = f"{sku}-{level_version}"
    plain = f"po-{crossing}"
    return plain if len(plain) <= _MAX_ID else f"po_{sha256(crossing.encode()).hexdigest()[:_HASHED]}"


def replenish(store: EventStore, record: Recorded) -> None:
    """Order what has fallen low, or record that its delivery has arrived. Doing it again changes nothing.

    Raises:
        Retryable: try again.
    """
    event = record.event
    if isinstance(event, StockLow):
        order = purchase_order(event)
        with about(order.purchase_order_id, "order"):
            _place(store, order, record.event_id)
            if answer := store.last(streams.delivery(order.purchase_order_id)):
                _fulfil(store, answer)
    else:
        assert isinstance(event, StockReceived)
        with about(event.delivery_id, "fulfil"):
            _fulfil(store, record)


def _place(store: EventStore, order: PurchaseOrderPlaced, causation_id: str) -> None:
    stream = streams.purchase(order.purchase_order_id)
    result = store.append_if_absent(stream, 1, order, correlation_id=order.sku, causation_id=causation_id)
    if isinstance(result, Appended):
        logger.info("purchase order placed", sku=order.sku, quantity=order.quantity)


def _fulfil(store: EventStore, received: Recorded) -> None:
    """Append ``PurchaseOrderFulfilled`` if that was the last chunk of a delivery that answers an order."""
    delivery = received.event
    assert isinstance(delivery, StockReceived)
    if delivery.chunk < delivery.chunks:
        return
    stream = streams.purchase(delivery.delivery_id)
    last = store.last(stream)
    if last and isinstance(last.event, PurchaseOrderPlaced):
        fulfilled = PurchaseOrderFulfilled(purchase_order_id=delivery.delivery_id)
        result = store.append_if_absent(
            stream, last.version + 1, fulfilled, correlation_id=last.event.sku, causation_id=received.event_id
        )
        # Nothing else follows PurchaseOrderPlaced, so an existing event is the same.
        if isinstance(result, Appended):
            logger.info("purchase order fulfilled", sku=last.event.sku)
