"""Why a payment is refused. The class name is the error that the state machine catches."""


class PaymentDeclined(Exception):
    """The payment gateway declined."""


class PaymentGatewayUnreachable(Exception):
    """The payment gateway did not answer; what it did is unknown."""
