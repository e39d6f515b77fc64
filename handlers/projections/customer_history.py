"""The customer history: how many orders a customer placed, what became of them, and what they came to.

The orders themselves are in the index of order views. Guests have no history.
"""

from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from handlers.projections.counter_views import CUSTOMERS
from handlers.projections.engine.counting import Counting
from handlers.projections.engine.increments import CounterKey, History, Increments


def increments(record: Recorded, history: History) -> Increments:
    """What an event of an order adds to its customer's counters; what a cancelled order came to is not spent."""
    order = [each.event for each in history()]
    placed = order[0]
    assert isinstance(placed, OrderPlaced)
    if placed.customer_id is None:
        return {}
    adds: dict[str, int]
    match record.event:
        case OrderPlaced():
            adds = {"placed": 1}
        case OrderConfirmed():
            adds = {"confirmed": 1, f"spent_{placed.currency}": placed.total}
        case _ if any(isinstance(each, OrderConfirmed) for each in order):
            adds = {"cancelled": 1, "confirmed": -1, f"spent_{placed.currency}": -placed.total}
        case _:
            adds = {"cancelled": 1}
    return {CounterKey(placed.customer_id): adds}


CUSTOMER_HISTORY = Counting(CUSTOMERS, (OrderPlaced, OrderConfirmed, OrderCancelled), increments, reads=("order",))
