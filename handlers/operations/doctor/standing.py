"""Orders that stand still: a saga has to end them, or answer a request, and none runs."""

from collections.abc import Iterator

from events.ordering import CancellationRequested, OrderCancellationStarted, OrderConfirmed, OrderPlaced
from handlers.operations.audit.evidence import Evidence
from handlers.operations.doctor.look import Ailment, Look, Mend
from handlers.operations.sagas import Saga


def due(evidence: Evidence, order_id: str) -> Saga | None:
    """The saga that has to take an order further; None for one that has ended, and whose requests are answered."""
    life = [type(event) for event in evidence.events("order", order_id)]
    if life[-1:] == [OrderPlaced]:
        return Saga.ORDER
    if life[-1:] == [OrderCancellationStarted]:
        return Saga.CANCELLATION if OrderConfirmed in life else Saga.ORDER
    asked = [type(event) for event in evidence.events("cancellation", order_id)]
    if life[-1:] == [OrderConfirmed] and asked == [CancellationRequested]:
        return Saga.CANCELLATION
    return None


def check(look: Look) -> Iterator[Ailment]:
    """Orders to which nothing happened for long, though a saga has to take them further, and none runs."""
    for order_id in sorted(look.still_orders):
        saga = due(look, order_id)
        if saga is not None:
            last = type(look.events("order", order_id)[-1]).__name__
            asked = (
                "a request to cancel it has no answer" if last == OrderConfirmed.__name__ else f"{last} was the last"
            )
            told = f"stands still: {asked}, and no {saga} runs for it"
            yield Ailment(f"order {order_id}", told, Mend("resume", order_id))
