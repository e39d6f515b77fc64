"""Export: all that is held on a customer, for who asks what that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from events import streams
from events.envelope import Recorded
from handlers.operations.errors import OperationFailed
from handlers.queries.counters import CounterQueries
from handlers.queries.orders import OrderQueries
from handlers.table import keys
from handlers.table.event_store import EventStore
from handlers.vault.vault import Known, Vault

_PAGE = 100


def export(
    customer_id: str, *, store: EventStore, vault: Vault, orders: OrderQueries, counters: CounterQueries
) -> dict[str, Any]:
    """All that is held on a customer, as JSON has it: the persons in the vault, the events, and the views.

    Dead-letter messages are not in it; payment tokens are secret, and held for days at most.

    Raises:
        OperationFailed: nothing is held.
        Retryable: try again.
    """
    persons = dict(vault.of_customer(customer_id))
    order_ids = sorted({*persons, *_listed(orders, customer_id)})
    own = [*store.read(streams.customer(customer_id)), *store.read(streams.customer_erasure(customer_id))]
    if not order_ids and not own:
        raise OperationFailed(f"nothing is held on a customer {customer_id}")
    return {
        "customer_id": customer_id,
        "counts": counters.customer(customer_id),
        "events": [_shown(record) for record in own],
        "orders": [
            {
                "order_id": order_id,
                "person": _person(persons.get(order_id)),
                "view": _view(orders, order_id),
                "events": [_shown(record) for record in orders.history(order_id)],
            }
            for order_id in order_ids
        ],
    }


def _listed(orders: OrderQueries, customer_id: str) -> Iterator[str]:
    """The ids of the customer's orders, erased or not, as the views have them."""
    page = orders.orders_of_customer(customer_id, None, None, _PAGE)
    while True:
        yield from (order["order_id"] for order in page.orders)
        if page.after is None:
            return
        page = orders.orders_of_customer(customer_id, None, page.after, _PAGE)


def _person(known: Known | None) -> Any:
    if known is None:
        return "erased"
    person = known.person.model_dump(mode="json", exclude_none=True)
    return person | ({"cancellation_reason": known.cancellation_reason} if known.cancellation_reason else {})


def _view(orders: OrderQueries, order_id: str) -> dict[str, Any]:
    view = orders.order(order_id) or {}
    return {name: value for name, value in view.items() if name not in keys.ATTRIBUTES}


def _shown(record: Recorded) -> dict[str, Any]:
    """An event; of who caused it the door alone, for the rest is about others."""
    return {
        "type": type(record.event).__name__,
        "stream": record.stream,
        "version": record.version,
        "occurred_at": record.occurred_at,
        "door": record.metadata.actor.door,
        "data": record.event.model_dump(mode="json", exclude_none=True),
    }
