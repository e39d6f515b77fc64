"""Stalled orders: a saga has to end them, or answer a request, and none runs."""

from collections.abc import Iterator
from datetime import datetime

from events import streams
from events.ordering import CancellationRequested, OrderCancellationStarted, OrderConfirmed, OrderPlaced
from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.table import Table
from handlers.operations.doctor.problem import Kind, Problem, Repair
from handlers.operations.doctor.snapshot import Snapshot
from handlers.operations.sagas import Saga
from handlers.table.event_store import EventStore


def evidence_of(store: EventStore, order_id: str) -> Evidence:
    """What the log says of an order's state, and of a request to cancel it: as much as `due` asks for."""
    of_order = (streams.order(order_id), streams.cancellation(order_id))
    records = (record for stream in of_order for record in store.read(stream))
    return Evidence(Table({(record.stream, record.version): record for record in records}))


def due(evidence: Evidence, order_id: str) -> Saga | None:
    """The saga that has to take an order further; None for one that has ended, and whose requests are answered."""
    history = [type(event) for event in evidence.events("order", order_id)]
    if history[-1:] == [OrderPlaced]:
        return Saga.ORDER
    if history[-1:] == [OrderCancellationStarted]:
        return Saga.CANCELLATION if OrderConfirmed in history else Saga.ORDER
    requested = [type(event) for event in evidence.events("cancellation", order_id)]
    if history[-1:] == [OrderConfirmed] and requested == [CancellationRequested]:
        return Saga.CANCELLATION
    return None


def due_since(evidence: Evidence, order_id: str, saga: Saga) -> datetime:
    """When the saga that is due was: when the order was placed, or its cancellation was requested or begun."""
    requested = evidence.streams.get(streams.cancellation(order_id), ())
    order = evidence.streams[streams.order(order_id)]
    first = order[0] if saga is Saga.ORDER else (*requested, order[-1])[0]
    return first.metadata.occurred_at


def check(snapshot: Snapshot) -> Iterator[Problem]:
    """Orders to which nothing happened for long, though a saga has to take them further, and none runs."""
    for order_id in sorted(snapshot.idle_orders):
        saga = due(snapshot, order_id)
        if saga is not None:
            last = type(snapshot.events("order", order_id)[-1])
            since = (
                "a request to cancel it has no answer"
                if last is OrderConfirmed
                else f"nothing happened after {last.__name__}"
            )
            wrong = f"is stalled: {since}, and no {saga} runs for it"
            yield Problem(Kind.STALLED_ORDER, f"order {order_id}", wrong, Repair("resume", order_id))
