"""What the counting views that ship have to show: the audit's own sums of the log.

They share nothing with `handlers.projections`, so a wrong increment there shows as a difference here. Whoever changes
what such a view counts changes both. Each sum is written from what its view is documented to show:

- **daily_sales**: by day (UTC), what the orders confirmed on it came to, by currency and by product. An order that is
  cancelled after that counts on no day.
- **stock_view**: by SKU, the pieces ``received``, those ``reserved`` for orders and not yet shipped, and those
  ``shipped``.
- **customer_history**: by customer, the orders ``placed``, those of them ``confirmed`` and not cancelled since, those
  ``cancelled``, and by currency what was ``spent`` on the confirmed ones. Guests have none.

A count of 0 says that a view was concerned, and has nothing of it any more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import NamedTuple

from events.envelope import Recorded
from events.inventory import StockReceived, StockReleased, StockReserved, StockShipped
from events.model import DomainEvent
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from handlers.operations.audit.table import ORDER_VIEW
from handlers.projections.engine.projection import Count
from handlers.table import keys

Histories = Iterable[Sequence[Recorded]]
"""Streams, each given whole."""


class _Order(NamedTuple):
    placed: OrderPlaced
    confirmed: Recorded | None
    is_cancelled: bool


def _orders(histories: Histories) -> Iterator[_Order]:
    for history in histories:
        records = {type(record.event): record for record in history}
        placed = records[OrderPlaced].event if OrderPlaced in records else None
        if isinstance(placed, OrderPlaced):
            yield _Order(placed, records.get(OrderConfirmed), OrderCancelled in records)


def _daily_sales(histories: Histories) -> Iterator[Count]:
    for placed, confirmed, is_cancelled in _orders(histories):
        if confirmed is None:
            continue
        times = 0 if is_cancelled else 1
        view = f"{keys.views('sales')}{confirmed.metadata.occurred_at.astimezone(UTC):%Y-%m-%d}"
        yield Count(view, placed.currency, "orders", times)
        yield Count(view, placed.currency, "total", times * placed.total)
        for line in placed.lines:
            product = f"{placed.currency}#{line.sku}"
            yield Count(view, product, "quantity", times * line.quantity)
            yield Count(view, product, "total", times * line.quantity * line.unit_price)


_STOCK: Mapping[type[DomainEvent], Mapping[str, int]] = {
    StockReceived: {"received": 1},
    StockReserved: {"reserved": 1},
    StockReleased: {"reserved": -1},
    StockShipped: {"reserved": -1, "shipped": 1},
}


def _stock_view(histories: Histories) -> Iterator[Count]:
    for history in histories:
        for event in (record.event for record in history):
            if isinstance(event, StockReceived | StockReserved | StockReleased | StockShipped):
                for line in event.lines:
                    for name, sign in _STOCK[type(event)].items():
                        yield Count(f"{keys.views('stock')}{line.sku}", "", name, sign * line.quantity)


def _customer_history(histories: Histories) -> Iterator[Count]:
    for placed, confirmed, is_cancelled in _orders(histories):
        if placed.customer_id is None:
            continue
        view, times = (
            f"{keys.views('customer')}{placed.customer_id}",
            int(confirmed is not None and not is_cancelled),
        )
        yield Count(view, "", "placed", 1)
        yield Count(view, "", "confirmed", times)
        yield Count(view, "", "cancelled", int(is_cancelled))
        yield Count(view, "", f"spent_{placed.currency}", times * placed.total)


def _nothing(_histories: Histories) -> Iterator[Count]:
    return iter(())


EXPECTED: Mapping[str, Callable[[Histories], Iterator[Count]]] = {
    ORDER_VIEW: _nothing,
    "daily_sales": _daily_sales,
    "stock_view": _stock_view,
    "customer_history": _customer_history,
}
"""By projection, what streams, each given whole, have to add to its views."""
