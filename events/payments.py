"""Payments: what the payment gateway holds for an order. Amounts are in the currency's minor unit."""

from events.model import Amount, Currency, DomainEvent, OrderId


class PaymentAuthorized(DomainEvent):
    """The amount is held on the customer's account. An order over 0 needs no gateway and has no authorization id."""

    order_id: OrderId
    amount: Amount
    currency: Currency
    authorization_id: str | None = None


class PaymentDeclined(DomainEvent):
    """The gateway refused, at authorization or at capture."""

    order_id: OrderId
    reason: str


class PaymentCaptured(DomainEvent):
    """The authorized amount was taken."""

    order_id: OrderId
    amount: Amount
    currency: Currency


class PaymentVoided(DomainEvent):
    """The authorized amount is free again; over 0 where nothing had been authorized. Closes the payment."""

    order_id: OrderId
    amount: Amount
    currency: Currency


class PaymentRefunded(DomainEvent):
    """The captured amount was given back. Closes the payment."""

    order_id: OrderId
    amount: Amount
    currency: Currency
