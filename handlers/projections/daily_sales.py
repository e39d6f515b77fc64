"""The daily sales: what the orders confirmed on a day came to, by currency and by product.

An order counts on the day, in UTC, that confirmed it, and is taken out of that day again if it is cancelled later. A
day is kept in shards, since all its orders meet there; a reader adds them up.
"""

from zlib import crc32

from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from handlers.projections.counter_views import SALES, SHARDS, day_views
from handlers.projections.engine.counting import Counting
from handlers.projections.engine.increments import CounterKey, History, Increments


def increments(record: Recorded, history: History) -> Increments:
    """What an order's outcome adds to its day: the order once it is confirmed, its negative if cancelled after that."""
    order = history()
    confirmed = next((each for each in order if isinstance(each.event, OrderConfirmed)), None)
    if confirmed is None:
        return {}
    placed = order[0].event
    assert isinstance(placed, OrderPlaced)
    sign = -1 if isinstance(record.event, OrderCancelled) else 1
    view = day_views(confirmed.occurred_at[:10])[crc32(placed.order_id.encode()) % SHARDS]
    return {
        CounterKey(view, placed.currency): {"orders": sign, "total": sign * placed.total},
        **{
            CounterKey(view, f"{placed.currency}#{sku}"): {"quantity": sign * quantity, "total": sign * total}
            for sku, (quantity, total) in _products(placed).items()
        },
    }


def _products(placed: OrderPlaced) -> dict[str, tuple[int, int]]:
    """The quantity of each product in an order, and what it comes to."""
    products: dict[str, tuple[int, int]] = {}
    for line in placed.lines:
        quantity, total = products.get(line.sku, (0, 0))
        products[line.sku] = quantity + line.quantity, total + line.quantity * line.unit_price
    return products


DAILY_SALES = Counting(SALES, (OrderConfirmed, OrderCancelled), increments, reads=("order",))
