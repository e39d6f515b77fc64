"""A payment: pure decisions between what the gateway says and what the log has."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderPlaced
from events.payments import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from handlers.payments.payment_gateway import Charge, ChargeState

AUTHORIZATION, CAPTURE = 1, 2
"""The versions of the payment stream that hold what the gateway answered to each step."""

FREE = Charge(ChargeState.AUTHORIZED, amount=0)
"""What a gateway would answer for an order over 0, which never reaches one."""


@dataclass(slots=True)
class Payment:
    """Which events the log has."""

    authorized: bool = False
    captured: bool = False
    declined: bool = False
    closed: bool = False


def fold(history: Sequence[Recorded]) -> Payment:
    """The payment folded from its stream."""
    payment = Payment()
    for record in history:
        match record.event:
            case PaymentAuthorized():
                payment.authorized = True
            case PaymentCaptured():
                payment.captured = True
            case PaymentDeclined():
                payment.declined = True
                payment.closed = not payment.authorized
            case PaymentVoided() | PaymentRefunded():
                payment.closed = True
    return payment


def authorization(order: OrderPlaced, charge: Charge) -> PaymentAuthorized | PaymentDeclined:
    """What an answer to an authorization is recorded as."""
    if charge.state is ChargeState.DECLINED:
        return PaymentDeclined(order_id=order.order_id, reason=charge.declined_because or "declined")
    return PaymentAuthorized(
        order_id=order.order_id,
        amount=order.total,
        currency=order.currency,
        authorization_id=charge.authorization_id,
    )


def capture(order: OrderPlaced, charge: Charge) -> PaymentCaptured | PaymentDeclined:
    """What an answer to a capture is recorded as."""
    if charge.declined_because:
        return PaymentDeclined(order_id=order.order_id, reason=charge.declined_because)
    return PaymentCaptured(order_id=order.order_id, amount=order.total, currency=order.currency)


def undone(payment: Payment, order: OrderPlaced, charge: Charge) -> list[DomainEvent]:
    """The events that the log lacks once the gateway has voided or refunded: what came before, then the closing one."""
    if payment.closed:
        return []
    missing: list[DomainEvent] = []
    authorized = charge.authorization_id is not None
    if not payment.authorized and (authorized or charge.state is ChargeState.DECLINED):
        missing.append(authorization(order, charge))
    if charge.state is ChargeState.DECLINED:
        return missing
    if charge.declined_because and not payment.declined:
        missing.append(capture(order, charge))
    if charge.state is ChargeState.REFUNDED and not payment.captured:
        missing.append(PaymentCaptured(order_id=order.order_id, amount=charge.amount, currency=order.currency))
    closing = PaymentRefunded if charge.state is ChargeState.REFUNDED else PaymentVoided
    return [*missing, closing(order_id=order.order_id, amount=charge.amount, currency=order.currency)]


def free_of_charge(payment: Payment) -> Charge:
    """What a gateway would answer to undoing the payment of an order over 0."""
    return Charge(ChargeState.REFUNDED if payment.captured else ChargeState.VOIDED, amount=0)
