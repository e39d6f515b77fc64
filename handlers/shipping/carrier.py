"""The carrier, as a port: what the pipeline asks of any carrier.

Every call carries an idempotency key derived from the order, and answers with the consignment as it then is.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from events.integration import Address


class ConsignmentState(StrEnum):
    """The state of a consignment. Rejected, cancelled and dispatched are final: they close the key."""

    ARRANGED = "arranged"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    DISPATCHED = "dispatched"


@dataclass(frozen=True, slots=True)
class Consignment:
    """What the carrier holds under a key."""

    state: ConsignmentState
    tracking_number: str | None = None
    rejected_because: str | None = None


class BreachOfContract(Exception):
    """The carrier did what it must not. People have to find out what to do about it."""


class Carrier(Protocol):
    """A carrier. It may collect a parcel once the order is confirmed, and never after it has cancelled the collection.

    Both methods raise :class:`handlers.shipping.refusals.CarrierUnreachable`
    where no answer came: what the carrier did is then unknown, and the same call asks again.
    """

    def arrange(self, key: str, address: Address) -> Consignment:
        """Arrange a collection, unless the key is used: then answer with what is there."""

    def cancel(self, key: str) -> Consignment:
        """Cancel a collection, and close the key, used or not; leaves a dispatched consignment as it is."""
