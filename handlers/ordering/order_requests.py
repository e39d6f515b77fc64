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
from events.shops import of_shop
from handlers.intake.requests import NotAllowed, Request
from handlers.intake.validation import NotYet, Refused, canonical, reasons
from handlers.ordering import submission
from handlers.ordering.order import Status, fold
from handlers.runtime.observability import about, count, logger
from handlers.table.event_store import Appended, EventStore, Existing


def submit(store: EventStore, request: Request) -> DomainEvent:
    """Place the submitted order, or reject it, and count it once; returns the event that the log has for it.

    Raises:
        Refused: it is invalid and has no usable order id.
        NotAllowed: it is no shop's.
    """
    if request.shop is None:
        raise NotAllowed([RejectionReason(field="", message="orders are placed by shops, and this comes from none")])
    decided = submission.decide(request.shop, _submitted(request))
    with about(decided.order_id, "submit"):
        if isinstance(decided, OrderPlaced):
            placed = _append(store, streams.order(decided.order_id), decided, request)
            if isinstance(placed, Appended):
                count("OrdersPlaced")
            in_log = placed.record.event
            if not isinstance(in_log, OrderPlaced) or in_log.content_hash == decided.content_hash:
                return in_log
            decided = submission.conflict(decided)
        logger.info("order rejected", reasons=[reason.model_dump() for reason in decided.reasons])
        rejected = _append(store, streams.rejection(decided.order_id, decided.content_hash), decided, request)
        if isinstance(rejected, Appended):
            count("OrdersRejected")
        return rejected.record.event


def _submitted(request: Request) -> Any:
    """What was submitted. Over HTTP, the ``Idempotency-Key`` says which order it is, or else the message."""
    if not request.by_http or not isinstance(request.detail, dict):
        return request.detail
    return request.detail | {"order_id": request.order_id or request.id}


def request_cancellation(store: EventStore, request: Request) -> None:
    """Start cancelling an order, or ask for that where it is confirmed. Repeating the request changes nothing.

    Raises:
        Refused: the request is invalid.
        NotYet: the order is not placed yet.
    """
    shop, detail = _cancelled(request)
    text = canonical(detail)
    try:
        asked = OrderCancellationRequested.model_validate_json(text)
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from invalid
    order_id = of_shop(shop, asked.order_id)
    confirmed = False

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        nonlocal confirmed
        order = fold(history)
        if order is None:
            raise NotYet([RejectionReason(field="order_id", message=f"there is no order {order_id!r} to cancel")])
        confirmed = order.status is Status.CONFIRMED
        if order.status is Status.PLACED:
            return [OrderCancellationStarted(order_id=order_id, reason=CancellationRequested.__name__)]
        return []

    with about(order_id, "request_cancellation"):
        store.execute(streams.order(order_id), decide, correlation_id=order_id, causation_id=request.id)
        if confirmed:
            requested = CancellationRequested(
                order_id=order_id, content_hash=submission.content_hash(text), reason=asked.reason
            )
            if isinstance(_append(store, streams.cancellation(order_id), requested, request), Existing):
                logger.info("cancellation was requested before")


def _cancelled(request: Request) -> tuple[str, Any]:
    """The shop whose order is to be cancelled, and the request. Over HTTP, the path says which order it is.

    A shop names its order by its own id, an operator by the id with the shop.
    """
    own = request.order_id
    shop = request.shop
    if shop is None:
        shop, _, own = (request.order_id or "").partition(".")
    if not request.by_http or not isinstance(request.detail, dict):
        return shop, request.detail
    return shop, request.detail | {"order_id": own}


def _append(
    store: EventStore, stream: str, event: OrderPlaced | OrderRejected | CancellationRequested, request: Request
) -> Appended | Existing:
    return store.append_if_absent(stream, 1, event, correlation_id=event.order_id, causation_id=request.id)
