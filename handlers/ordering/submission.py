"""Whether a submission becomes an order: pure decisions about what a shop sent."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from events.integration import MAX_CANONICAL_BYTES, Customer, OrderSubmitted
from events.model import MAX_AMOUNT, OwnOrderId
from events.ordering import Destination, OrderLine, OrderPlaced, OrderRejected, RejectionReason
from events.shops import of_shop
from handlers.intake.validation import Refused, canonical, reasons

_MAX_REASONS = 50
_POSTAL_AREA = 3  # characters
_ID: TypeAdapter[str] = TypeAdapter(OwnOrderId)


@dataclass(frozen=True, slots=True)
class Valid:
    """A submission that can be placed: the order, what its lines come to, and its canonical JSON without nulls."""

    order: OrderSubmitted
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """A submission that cannot: the shop's own id of the order, its canonical JSON, and what is wrong with it."""

    own_id: str
    text: str
    reasons: Sequence[RejectionReason]


def decide(detail: Any) -> Valid | Invalid:
    """Whether a submission can be placed, or what is wrong with it.

    Raises:
        Refused: it is wrong and has no usable order id.
    """
    text = canonical(detail)
    size = len(text.encode())
    if size > MAX_CANONICAL_BYTES:
        return _invalid(detail, text, [_whole(f"{size} bytes of canonical JSON; {MAX_CANONICAL_BYTES} are allowed")])
    try:
        order = OrderSubmitted.model_validate_json(text)
    except ValidationError as invalid:
        return _invalid(detail, text, reasons(invalid))
    total = sum(line.quantity * line.unit_price for line in order.lines)
    if total > MAX_AMOUNT:
        return _invalid(detail, text, [RejectionReason(field="lines", message=f"a total over {MAX_AMOUNT}")])
    return Valid(order, total, canonical(order.model_dump(mode="json", exclude_none=True)))


def conflict(valid: Valid, *, erased: bool) -> Invalid:
    """The rejection of a submission whose order id is taken.

    Args:
        valid: what was submitted.
        erased: the person behind the order that has the id is forgotten: nobody can tell whether it is the same.
    """
    message = "an order with this id stands" if erased else "an order with this id and other content was placed before"
    return Invalid(valid.order.order_id, valid.text, [RejectionReason(field="order_id", message=message)])


def content_hash(key: bytes, text: str) -> str:
    """HMAC-SHA-256 of canonical JSON, in hex (RFC 2104)."""
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def placed(shop: str, valid: Valid, key: bytes) -> OrderPlaced:
    """The event that places a shop's order; ``key`` goes into the vault with the person."""
    order = valid.order
    customer = order.customer or Customer()
    address = order.shipping_address
    return OrderPlaced(
        order_id=of_shop(shop, order.order_id),
        content_hash=content_hash(key, valid.text),
        currency=order.currency,
        total=valid.total,
        lines=tuple(
            OrderLine(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price) for line in order.lines
        ),
        customer_id=of_shop(shop, customer.customer_id) if customer.customer_id else None,
        has_email=customer.email is not None,
        destination=Destination(country=address.country, postal_area=address.postal_code[:_POSTAL_AREA]),
    )


def rejected(shop: str, invalid: Invalid, key: bytes) -> OrderRejected:
    """The event that rejects what a shop submitted; ``key`` is the environment's."""
    return OrderRejected(
        order_id=of_shop(shop, invalid.own_id),
        content_hash=content_hash(key, invalid.text),
        reasons=tuple(invalid.reasons[:_MAX_REASONS]),
        reason_count=len(invalid.reasons),
    )


def _whole(message: str) -> RejectionReason:
    return RejectionReason(field="", message=message)


def _invalid(detail: Any, text: str, why: Sequence[RejectionReason]) -> Invalid:
    own_id = detail.get("order_id") if isinstance(detail, Mapping) else None
    try:
        usable_id = _ID.validate_python(own_id, strict=True)
    except ValidationError:
        raise Refused(why[:_MAX_REASONS]) from None
    return Invalid(usable_id, text, why)
