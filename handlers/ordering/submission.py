"""Whether a submission becomes an order: pure decisions about what a publisher sent."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from events.integration import MAX_CANONICAL_BYTES, Customer, OrderSubmitted
from events.model import MAX_AMOUNT, OwnOrderId
from events.ordering import OrderPlaced, OrderRejected, RejectionReason
from events.shops import of_shop
from handlers.intake.validation import Refused, canonical, reasons

_MAX_REASONS = 50
_ID: TypeAdapter[str] = TypeAdapter(OwnOrderId)


def content_hash(text: str) -> str:
    """SHA-256 of canonical JSON, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def decide(shop: str, detail: Any) -> OrderPlaced | OrderRejected:
    """Accept what a shop submitted, or refuse it with the fields that are wrong.

    Raises:
        Refused: it is wrong and has no usable order id.
    """
    text = canonical(detail)
    size = len(text.encode())
    if size > MAX_CANONICAL_BYTES:
        return _reject(
            shop, detail, text, [_whole(f"{size} bytes of canonical JSON; {MAX_CANONICAL_BYTES} are allowed")]
        )
    try:
        order = OrderSubmitted.model_validate_json(text)
    except ValidationError as invalid:
        return _reject(shop, detail, text, reasons(invalid))
    total = sum(line.quantity * line.unit_price for line in order.lines)
    if total > MAX_AMOUNT:
        return _reject(shop, detail, text, [RejectionReason(field="lines", message=f"a total over {MAX_AMOUNT}")])
    normalized = canonical(order.model_dump(mode="json", exclude_none=True))
    customer = order.customer or Customer()
    return OrderPlaced(
        order_id=of_shop(shop, order.order_id),
        content_hash=content_hash(normalized),
        currency=order.currency,
        total=total,
        lines=order.lines,
        customer_id=of_shop(shop, customer.customer_id) if customer.customer_id else None,
        email=customer.email,
        shipping_address=order.shipping_address,
        payment_token=order.payment_token,
    )


def conflict(placed: OrderPlaced) -> OrderRejected:
    """The rejection of a submission whose order id is taken by another order."""
    message = "an order with this id and other content was placed before"
    return OrderRejected(
        order_id=placed.order_id,
        content_hash=placed.content_hash,
        reasons=(RejectionReason(field="order_id", message=message),),
        reason_count=1,
    )


def _whole(message: str) -> RejectionReason:
    return RejectionReason(field="", message=message)


def _reject(shop: str, detail: Any, text: str, why: Sequence[RejectionReason]) -> OrderRejected:
    own_id = detail.get("order_id") if isinstance(detail, Mapping) else None
    try:
        usable_id = _ID.validate_python(own_id, strict=True)
    except ValidationError:
        raise Refused(why[:_MAX_REASONS]) from None
    return OrderRejected(
        order_id=of_shop(shop, usable_id),
        content_hash=content_hash(text),
        reasons=tuple(why[:_MAX_REASONS]),
        reason_count=len(why),
    )
