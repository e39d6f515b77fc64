"""Why ordering refuses a command. The class name is the error that the state machine catches."""


class OrderNotFound(Exception):
    """There is no such order. Caught nowhere, so that the execution ends at once."""


class OrderNotConfirmed(Exception):
    """The order is not confirmed, so there is nothing to recall. Caught nowhere, so that the execution ends at once."""


class OrderCancelling(Exception):
    """The order is being cancelled: no forward step runs any more."""


class AlreadyConfirmed(Exception):
    """The order is confirmed: there is nothing to do, and nothing to compensate."""


class AlreadyCancelled(Exception):
    """The order is cancelled, and everything is compensated."""


class AlreadyCaptured(Exception):
    """The payment is captured, so a fault of our own must not cancel the order: the saga goes forward."""
