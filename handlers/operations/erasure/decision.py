"""Whether an order can be erased, and what is recorded of orders that are. Pure."""

from collections.abc import Sequence
from datetime import datetime

from events.envelope import Actor, Recorded
from events.ordering import CancellationRequested
from events.privacy import CustomerErased
from handlers.operations.erasure.ledger import Entry
from handlers.operations.erasure.progress import Batch, Progress
from handlers.ordering.order import Status, fold


def under_way(order: Sequence[Recorded], cancellation: Sequence[Recorded]) -> Status | None:
    """The status of an order that a saga still takes further, with its person; None of one that has ended.

    One that was never placed has ended, too.

    Args:
        order: the order's own stream.
        cancellation: that of a request to cancel it once it was confirmed.
    """
    folded = fold(order)
    if folded is None or folded.status is Status.CANCELLED:
        return None
    answered = [type(record.event) for record in cancellation] != [CancellationRequested]
    return None if folded.status is Status.CONFIRMED and answered else folded.status


def entries(progress: Progress, batch: Batch, now: datetime) -> list[Entry]:
    """What is recorded of a batch: each of its orders, and at the end the customer."""
    erased = [CustomerErased(order_id=order.order_id, customer_id=order.customer_id) for order in batch.orders]
    if batch.ends and progress.customer_id:
        erased.append(CustomerErased(customer_id=progress.customer_id))
    actor = Actor(door="command line", principal=progress.operator)
    return [Entry(erased=each, decided_at=now, actor=actor) for each in erased]


def named(progress: Progress, batch: Batch) -> frozenset[str]:
    """The ids of the orders whose dead-letter messages go with a batch.

    An order that was asked for by its id may never have been placed: then it is in no batch.
    """
    asked_for = {progress.order_id} if progress.order_id else set()
    return frozenset({order.order_id for order in batch.orders} | asked_for)
