"""Refusals: why a step of the saga says no. The class name is the error that the state machine catches."""


class OrderNotFound(Exception):
    """There is no such order; caught nowhere, so that the execution ends at once."""


class OrderCancelling(Exception):
    """The order is being cancelled: no step goes forward any more."""


class AlreadyConfirmed(Exception):
    """The order is confirmed: there is nothing to do, and nothing to undo."""


class AlreadyCancelled(Exception):
    """The order is cancelled, and everything undone."""


class AlreadyCaptured(Exception):
    """The payment is captured, so our own trouble must not cancel the order: it goes forward."""


class OutOfStock(Exception):
    """There is not enough of what was ordered."""


class PaymentDeclined(Exception):
    """The payment gateway refused."""


class PaymentGatewayUnreachable(Exception):
    """The payment gateway gave no answer; what it did is unknown."""


class ShipmentRejected(Exception):
    """The carrier does not deliver there."""


class OrderNotConfirmed(Exception):
    """The order is not confirmed, so there is nothing to recall; caught nowhere, so that the execution ends at once."""


class ShipmentDispatched(Exception):
    """The carrier has the parcel: it is too late to cancel the order."""


class CarrierUnreachable(Exception):
    """The carrier gave no answer; what it did is unknown."""
