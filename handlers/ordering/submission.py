"""Whether a submission becomes an order: pure decisions about what a publisher sent."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from events.integration import MAX_CANONICAL_BYTES, OrderSubmitted
from events.model import MAX_AMOUNT, Id
from events.ordering import OrderPlaced, OrderRejected, RejectionReason
from handlers.intake.validation import Refused, canonical, reasons

_MAX_REASONS = 50
_ID: TypeAdapter[str] = TypeAdapter(Id)


def content_hash(text: str) -> str:
    """SHA-256 of canonical JSON, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def decide(detail: Any) -> OrderPlaced | OrderRejected:
    """Accept a submission, or refuse it with the fields that are wrong.

    Raises:
        Refused: it is wrong and has no usable order id.
    """
    text = canonical(detail)
    size = len(text.encode())
    if size > MAX_CANONICAL_BYTES:
        return _reject(detail, text, [_whole(f"{size} bytes of canonical JSON; {MAX_CANONICAL_BYTES} are allowed")])
    try:
        order = OrderSubmitted.model_validate_json(text)
    except ValidationError as invalid:
        return _reject(detail, text, reasons(invalid))
    total = sum(line.quantity * line.unit_price for line in order.lines)
    if total > MAX_AMOUNT:
        return _reject(detail, text, [RejectionReason(field="lines", message=f"a total over {MAX_AMOUNT}")])
    normalized = canonical(order.model_dump(mode="json", exclude_none=True))
    return OrderPlaced(
        content_hash=content_hash(normalized), total=total, **{name: getattr(order, name) for name in _SAME_FIELDS}
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


_SAME_FIELDS = OrderSubmitted.model_fields.keys()


def _whole(message: str) -> RejectionReason:
    return RejectionReason(field="", message=message)


def _reject(detail: Any, text: str, why: Sequence[RejectionReason]) -> OrderRejected:
    order_id = detail.get("order_id") if isinstance(detail, Mapping) else None
    try:
        usable_id = _ID.validate_python(order_id, strict=True)
    except ValidationError:
        raise Refused(why[:_MAX_REASONS]) from None
    return OrderRejected(
        order_id=usable_id,
        content_hash=content_hash(text),
        reasons=tuple(why[:_MAX_REASONS]),
        reason_count=len(why),
    )
