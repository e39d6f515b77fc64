"""The stock view: of each SKU, what was received, what is set aside for orders, and what was shipped.

What is available is what was received less the other two.
"""

from events.envelope import Recorded
from events.inventory import StockReceived, StockReleased, StockReserved, StockShipped
from events.model import DomainEvent
from handlers.projections.counter_views import STOCK
from handlers.projections.engine.counting import Counting
from handlers.projections.engine.increments import CounterKey, History, Increments

_ADDS: dict[type[DomainEvent], dict[str, int]] = {
    StockReceived: {"received": 1},
    StockReserved: {"reserved": 1},
    StockReleased: {"reserved": -1},
    StockShipped: {"reserved": -1, "shipped": 1},
}
"""What each unit in an event adds to the counters of its SKU."""


def increments(record: Recorded, _history: History) -> Increments:
    """What an event adds for each SKU in it."""
    event = record.event
    assert isinstance(event, StockReceived | StockReserved | StockReleased | StockShipped)
    adds = _ADDS[type(event)]
    return {CounterKey(line.sku): {name: sign * line.quantity for name, sign in adds.items()} for line in event.lines}


STOCK_VIEW = Counting(STOCK, tuple(_ADDS), increments)
