"""Requests from outside: submissions become orders or rejections, requests to cancel start a cancellation."""

import secrets
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from events import streams
from events.envelope import Recorded
from events.integration import OrderCancellationRequested, OrderSubmitted
from events.model import DomainEvent
from events.ordering import (
    CancellationRequested,
    OrderCancellationStarted,
    OrderPlaced,
    OrderRejected,
    RejectionReason,
    UnknownOrderCancellationRefused,
)
from events.shops import of_shop
from handlers.intake.requests import Request
from handlers.intake.validation import NotAllowed, NotYet, Refused, canonical, reasons
from handlers.ordering import submission
from handlers.ordering.order import Order, Status, fold
from handlers.runtime.observability import about, count, logger
from handlers.table.event_store import Appended, Conflict, EventStore, Existing
from handlers.vault.payment_tokens import PaymentTokens
from handlers.vault.person import person
from handlers.vault.rejection_key import RejectionKey
from handlers.vault.vault import Vault

_KEY_BYTES = 32


def submit(
    store: EventStore, vault: Vault, tokens: PaymentTokens, rejection_key: RejectionKey, request: Request
) -> DomainEvent:
    """Place the submitted order, or reject it, and count it once; returns the event that the log has for it.

    What is personal goes into the vault, in the transaction that places the order.

    Raises:
        Refused: it is invalid and has no usable order id.
        NotAllowed: it is no shop's.
        Retryable: try again.
    """
    shop = request.shop
    if shop is None:
        raise NotAllowed([RejectionReason(field="", message="orders are placed by shops, and this comes from none")])
    decided = submission.decide(_submitted(request))
    if isinstance(decided, submission.Invalid):
        return _reject(store, submission.rejected(shop, decided, rejection_key.read()), request)
    key = secrets.token_bytes(_KEY_BYTES)
    order = submission.placed(shop, decided, key)
    with about(order.order_id, "submit"):
        result = _place(store, vault, tokens, request, order=order, submitted=decided.order, key=key)
        in_log = result.record.event
        assert isinstance(in_log, OrderPlaced)
        if isinstance(result, Appended):
            return in_log
        known_key = vault.content_key(in_log)
        if known_key and submission.content_hash(known_key, decided.text) == in_log.content_hash:
            return in_log
    taken = submission.conflict(decided, erased=known_key is None)
    return _reject(store, submission.rejected(shop, taken, rejection_key.read()), request)


def _place(
    store: EventStore,
    vault: Vault,
    tokens: PaymentTokens,
    request: Request,
    *,
    order: OrderPlaced,
    submitted: OrderSubmitted,
    key: bytes,
) -> Appended | Existing:
    """Append the event and put the person into the vault, both or neither; the token that pays for it is there before.

    Where the order exists, the token is of no use, and is deleted; killed before that, it expires.
    """
    tokens.put(order, submitted.payment_token)
    try:
        record = store.append_with(
            streams.order(order.order_id),
            1,
            order,
            [vault.put(order, person(submitted), key)],
            correlation_id=order.order_id,
            causation_id=request.id,
        )
    except Conflict as conflict:
        tokens.delete(order)
        return Existing(conflict.existing)
    count("OrdersPlaced")
    return Appended(record)


def _reject(store: EventStore, rejected: OrderRejected, request: Request) -> DomainEvent:
    with about(rejected.order_id, "submit"):
        logger.info("order rejected", reasons=[reason.model_dump() for reason in rejected.reasons])
        result = _append(store, streams.rejection(rejected.order_id, rejected.content_hash), rejected, request)
        if isinstance(result, Appended):
            count("OrdersRejected")
        return result.record.event


def _submitted(request: Request) -> Any:
    """What was submitted. Over HTTP, the ``Idempotency-Key`` says which order it is, or else the message."""
    if not request.by_http or not isinstance(request.detail, dict):
        return request.detail
    return request.detail | {"order_id": request.order_id or request.id}


def request_cancellation(store: EventStore, vault: Vault, request: Request) -> None:
    """Start cancelling an order, or ask for that where it is confirmed. Repeating the request changes nothing.

    Raises:
        Refused: the request is invalid.
        NotYet: the order is not placed yet.
        Retryable: try again.
    """
    shop, detail = _cancelled(request)
    try:
        asked = OrderCancellationRequested.model_validate_json(canonical(detail))
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from None
    order_id = of_shop(shop, asked.order_id)
    found: Order | None = None

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        nonlocal found
        found = fold(history)
        if found is None:
            raise NotYet([RejectionReason(field="order_id", message=f"there is no order {order_id!r} to cancel")])
        if found.status is Status.PLACED:
            return [OrderCancellationStarted(order_id=order_id, reason=CancellationRequested.__name__)]
        return []

    with about(order_id, "request_cancellation"):
        store.execute(streams.order(order_id), decide, correlation_id=order_id, causation_id=request.id)
        assert found is not None
        if asked.reason is not None:
            vault.keep_reason(found.placed, asked.reason)
        if found.status is Status.CONFIRMED:
            requested = CancellationRequested(order_id=order_id)
            if isinstance(_append(store, streams.cancellation(order_id), requested, request), Existing):
                logger.info("cancellation was requested before")


def refuse_unknown_order(store: EventStore, request: Request) -> None:
    """Record that there is no such order to cancel; whoever asked reads it there. Doing it again changes nothing.

    Raises:
        Retryable: try again.
    """
    shop, detail = _cancelled(request)
    order_id = of_shop(shop, OrderCancellationRequested.model_validate_json(canonical(detail)).order_id)
    with about(order_id, "refuse_unknown_order"):
        refused = UnknownOrderCancellationRefused(order_id=order_id)
        if isinstance(_append(store, streams.unknown_order(order_id), refused, request), Appended):
            count("UnknownOrderCancellations")


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
    store: EventStore,
    stream: str,
    event: OrderRejected | CancellationRequested | UnknownOrderCancellationRefused,
    request: Request,
) -> Appended | Existing:
    return store.append_if_absent(stream, 1, event, correlation_id=event.order_id, causation_id=request.id)
