"""The payment gateway, as a port: what the pipeline asks of any gateway.

Every call carries an idempotency key derived from the order, and answers with the charge as it then is under that key.
So a call repeated changes nothing, and a compensation learns from its own call what happened before it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ChargeState(StrEnum):
    """The state of a charge. Declined, voided and refunded are final: they close the key."""

    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Charge:
    """What the gateway holds under a key; ``amount`` is what was authorized, in the minor unit, 0 if nothing was.

    ``declined_because`` is set where the gateway refused, at authorization or at capture.
    """

    state: ChargeState
    amount: int
    authorization_id: str | None = None
    declined_because: str | None = None


class PaymentGateway(Protocol):
    """A payment gateway.

    Every method raises :class:`handlers.payments.refusals.PaymentGatewayUnreachable`
    where no answer came: what the gateway did is then unknown, and the same call asks again.
    """

    def authorize(self, key: str, amount: int, currency: str, payment_token: str) -> Charge:
        """Hold an amount, unless the key is used: then answer with what is there."""

    def capture(self, key: str) -> Charge:
        """Take the authorized amount, unless it was declined, voided or refunded."""

    def void(self, key: str) -> Charge:
        """Free the authorized amount, and close the key, used or not; leaves a captured charge as it is."""

    def refund(self, key: str) -> Charge:
        """Give the captured amount back."""
