"""Resume: start the saga of orders to which nothing happens any more, though they have not ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import count
from typing import NamedTuple

from handlers.operations.doctor.stalled_orders import due, evidence_of
from handlers.operations.sagas import Saga, Sagas, name_of_resumed
from handlers.table.event_store import EventStore


class Outcome(Enum):
    """What resuming an order came to."""

    STARTED = "started"
    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Resumed(NamedTuple):
    """What resuming an order came to, and which saga it needs, if it has not ended."""

    order_id: str
    outcome: Outcome
    saga: Saga | None


def resume(store: EventStore, sagas: Sagas, order_ids: Iterable[str]) -> Iterator[Resumed]:
    """Start the saga that each order needs: the one that ends it, or the one that answers a request to cancel it.

    Which one an order needs, the log says. An order that has ended, that has a saga running, or that does not exist is
    left alone. A saga that is started once too often changes nothing. Its name has the first number that is free; of
    two people who resume an order at once, the second finds the execution of the first.

    Raises:
        Retryable: try again.
    """
    running = sagas.running()
    for order_id in order_ids:
        evidence = evidence_of(store, order_id)
        saga = due(evidence, order_id)
        if order_id not in evidence.orders:
            yield Resumed(order_id, Outcome.UNKNOWN, None)
        elif saga is None:
            yield Resumed(order_id, Outcome.ENDED, None)
        elif order_id in running:
            yield Resumed(order_id, Outcome.RUNNING, saga)
        else:
            next(number for number in count(1) if sagas.start(saga, order_id, name_of_resumed(order_id, number)))
            yield Resumed(order_id, Outcome.STARTED, saga)
