"""Requests from outside: submissions become orders or rejections, requests to cancel start a cancellation."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from events import streams
from events.envelope import Recorded
from events.integration import OrderCancellationRequested
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationStarted,
    OrderPlaced,
    OrderRejected,
    RejectionReason,
)
from handlers.intake.messages import IntakeMessage
from handlers.intake.validation import NotYet, Refused, canonical, reasons
from handlers.ordering import submission
from handlers.ordering.order import Order, Status, fold
from handlers.runtime.observability import about, count, logger
from handlers.table.event_store import Appended, EventStore, Existing


def submit(store: EventStore, envelope: IntakeMessage) -> DomainEvent:
    """Place the submitted order, or reject it, and count it once; returns the event that the log has for it.

    Raises:
        Refused: it is invalid and has no usable order id.
    """
    decided = submission.decide(_submitted(envelope))
    with about(decided.order_id, "submit"):
        if isinstance(decided, OrderPlaced):
            placed = _append(store, streams.order(decided.order_id), decided, envelope)
            if isinstance(placed, Appended):
                count("OrdersPlaced")
            in_log = placed.record.event
            if not isinstance(in_log, OrderPlaced) or in_log.content_hash == decided.content_hash:
                return in_log
            decided = submission.conflict(decided)
        if envelope.caller:
            decided = decided.model_copy(update={"customer_id": envelope.caller.customer_id})
        logger.info("order rejected", reasons=[reason.model_dump() for reason in decided.reasons])
        rejected = _append(store, streams.rejection(decided.order_id, decided.content_hash), decided, envelope)
        if isinstance(rejected, Appended):
            count("OrdersRejected")
        return rejected.record.event


def _submitted(envelope: IntakeMessage) -> Any:
    """What was submitted. For a caller of the API, the token says who they are and the path which order it is."""
    caller, content = envelope.caller, envelope.detail
    if caller is None or not isinstance(content, dict):
        return content
    customer = {"customer_id": caller.customer_id}
    if "email" in content:
        customer["email"] = content["email"]
    order = {name: value for name, value in content.items() if name != "email"}
    return order | {"order_id": envelope.order_id or envelope.id, "customer": customer}


def request_cancellation(store: EventStore, envelope: IntakeMessage) -> None:
    """Start cancelling an order, or ask for that where it is confirmed. Repeating the request changes nothing.

    Raises:
        Refused: the request is invalid, or its caller's order is another one.
        NotYet: the order is not placed yet.
    """
    text = canonical(_cancelled(envelope))
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
            raise NotYet([RejectionReason(field="order_id", message=f"there is no order {order_id!r} to cancel")])
        _only_their_own(order, envelope)
        confirmed = order.status is Status.CONFIRMED
        if order.status is Status.PLACED:
            return [OrderCancellationStarted(order_id=order_id, reason=CancellationRequested.__name__)]
        return []

    with about(order_id, "request_cancellation"):
        store.execute(streams.order(order_id), decide, correlation_id=order_id, causation_id=envelope.id)
        if confirmed:
            requested = CancellationRequested(
                order_id=order_id, content_hash=submission.content_hash(text), reason=request.reason
            )
            if isinstance(_append(store, streams.cancellation(order_id), requested, envelope), Existing):
                logger.info("cancellation was requested before")


def _cancelled(envelope: IntakeMessage) -> Any:
    """The request to cancel. For a caller of the API, the path says which order it is."""
    if envelope.caller is None or not isinstance(envelope.detail, dict):
        return envelope.detail
    return envelope.detail | {"order_id": envelope.order_id}


def _only_their_own(order: Order, envelope: IntakeMessage) -> None:
    if envelope.caller and not envelope.caller.may_act_for(order.placed.customer):
        raise Refused([RejectionReason(field="order_id", message="not the caller's order")])


def _append(
    store: EventStore, stream: str, event: OrderPlaced | OrderRejected | CancellationRequested, envelope: IntakeMessage
) -> Appended | Existing:
    return store.append_if_absent(stream, 1, event, correlation_id=event.order_id, causation_id=envelope.id)
