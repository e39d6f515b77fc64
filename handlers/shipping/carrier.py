"""The carrier, as a port: what the pipeline asks of any carrier.

Every call carries an idempotency key derived from the order, and answers with the consignment as it then stands.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from events.ordering import Address


class ConsignmentState(StrEnum):
    """Where a consignment stands. Rejected and cancelled are final: they close the key."""

    ARRANGED = "arranged"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Consignment:
    """What the carrier holds under a key."""

    state: ConsignmentState
    tracking_number: str | None = None
    rejected_because: str | None = None


class Carrier(Protocol):
    """A carrier.

    Both methods raise :class:`handlers.refusals.CarrierUnreachable` where no answer came: what the carrier did is then
    unknown, and the same call asks again.
    """

    def arrange(self, key: str, address: Address) -> Consignment:
        """Arrange a collection, unless the key is used: then answer with what is there."""

    def cancel(self, key: str) -> Consignment:
        """Call a collection off, and close the key, used or not."""
