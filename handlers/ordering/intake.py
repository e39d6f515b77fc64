"""Entry point of order intake: submissions and cancellation requests become events, or dead letters with reasons."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from events import streams
from events.envelope import Recorded
from events.integration import OrderCancellationRequested
from events.model import DomainEvent
from events.ordering import OrderCancellationRefused, OrderCancellationStarted, OrderPlaced, OrderRejected
from events.store import EventStore
from handlers.aws import event_store
from handlers.intake import Envelope, intake
from handlers.observability import about, count, logger
from handlers.ordering import submission
from handlers.ordering.order import Status, fold
from handlers.refusals import OrderNotFound
from handlers.validation import Refused, canonical, reasons

REQUESTED = "CancellationRequested"


def submit(store: EventStore, envelope: Envelope) -> DomainEvent:
    """Place the submitted order, or reject it, and count it once; returns the event that stands in the log for it.

    Raises:
        Refused: it is invalid and has no usable order id.
    """
    decided = submission.decide(_submitted(envelope))
    with about(decided.order_id, "submit"):
        if isinstance(decided, OrderPlaced):
            standing = _append(store, streams.order(decided.order_id), decided, envelope)
            if standing is decided:
                count("OrdersPlaced")
            if not isinstance(standing, OrderPlaced) or standing.content_hash == decided.content_hash:
                return standing
            decided = submission.conflict(decided)
        if envelope.caller:
            decided = decided.model_copy(update={"customer_id": envelope.caller.customer_id})
        logger.info("order rejected", reasons=[reason.model_dump() for reason in decided.reasons])
        standing = _append(store, streams.rejection(decided.order_id, decided.content_hash), decided, envelope)
        if standing is decided:
            count("OrdersRejected")
        return standing


def _submitted(envelope: Envelope) -> Any:
    """What was submitted. What a caller of the API sends says neither who they are nor which order it is."""
    caller, content = envelope.caller, envelope.detail
    if caller is None or not isinstance(content, dict):
        return content
    customer = {"customer_id": caller.customer_id}
    if "email" in content:
        customer["email"] = content["email"]
    order = {name: value for name, value in content.items() if name != "email"}
    return order | {"order_id": envelope.order_id or envelope.id, "customer": customer}


def request_cancellation(store: EventStore, envelope: Envelope) -> None:
    """Start cancelling an order, or refuse where it is confirmed. Repeating the request changes nothing.

    Raises:
        Refused: the request is invalid.
        OrderNotFound: the order has not come yet; try again.
    """
    text = canonical(envelope.detail)
    try:
        request = OrderCancellationRequested.model_validate_json(text)
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from invalid
    order_id = request.order_id
    confirmed = False

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        nonlocal confirmed
        order = fold(history)
        if order is None:
            raise OrderNotFound(f"a cancellation came for order {order_id!r}, which is not there")
        confirmed = order.status is Status.CONFIRMED
        if order.status is Status.PLACED:
            return [OrderCancellationStarted(order_id=order_id, reason=REQUESTED)]
        return []

    with about(order_id, "request_cancellation"):
        store.execute(streams.order(order_id), decide, correlation_id=order_id, causation_id=envelope.id)
        if confirmed:
            content_hash = submission.content_hash(text)
            refused = OrderCancellationRefused(
                order_id=order_id, content_hash=content_hash, reason="the order is confirmed"
            )
            _append(store, streams.rejection(order_id, content_hash), refused, envelope)


def _append(
    store: EventStore, stream: str, event: OrderPlaced | OrderRejected | OrderCancellationRefused, envelope: Envelope
) -> DomainEvent:
    return store.standing(stream, 1, event, correlation_id=event.order_id, causation_id=envelope.id)


def _submit(envelope: Envelope) -> None:
    submit(store, envelope)


def _request_cancellation(envelope: Envelope) -> None:
    request_cancellation(store, envelope)


store = event_store()
_ACCEPTED: dict[str, Callable[[Envelope], Any]] = {
    "OrderSubmitted": _submit,
    "OrderCancellationRequested": _request_cancellation,
}
handler = intake(_ACCEPTED)
