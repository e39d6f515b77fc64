"""Why a shipment is refused. The class name is the error that the state machine catches."""


class ShipmentRejected(Exception):
    """The carrier does not deliver to this address."""


class ShipmentDispatched(Exception):
    """The carrier has the parcel: it is too late to cancel the order."""


class CarrierUnreachable(Exception):
    """The carrier did not answer; what it did is unknown."""
