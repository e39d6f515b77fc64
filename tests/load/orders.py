"""The orders of a load: numbered, each the same whenever it is asked for, so that only numbers have to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers.operations.audit.published_submission import Submission
from handlers.payments import sandbox_gateway as payments
from handlers.shipping import sandbox_carrier as shipping
from infra.local.runner.stock_deliveries import stock_deliveries

CUSTOMERS = 100
"""Among how many customers the orders of a load are spread: their histories say how many have ended."""

_SKUS = [f"LOAD-{number:03d}" for number in range(300)]
_PIECES = 100_000
_APART = 7919  # a prime: orders one after the other have no SKU in common


@dataclass(frozen=True)
class LoadOrders:
    """The orders of one load, in a shop's name. ``run`` distinguishes loads; ``email`` gets all that is sent."""

    run: str
    shop: str
    email: str | None

    def submission(self, number: int) -> Submission:
        """One of the orders: of 20, one is declined by the payment gateway and one rejected by the carrier."""
        token, postal_code, expected = "tok_approve", "N1 1AA", "CONFIRMED"
        if number % 20 == 7:
            token, expected = payments.DECLINE, "PaymentDeclined"
        elif number % 20 == 17:
            postal_code, expected = shipping.REJECT, "ShipmentRejected"
        detail: dict[str, Any] = {
            "order_id": f"{self.run}-{number}",
            "currency": "GBP",
            "payment_token": token,
            "lines": [_line(number * _APART + 101 * line) for line in range(3)],
            "customer": {"customer_id": f"{self.run}-{number % CUSTOMERS}", **self._address},
            "shipping_address": {
                "name": "Jo Smith",
                "street": "1 High Street",
                "city": "London",
                "postal_code": postal_code,
                "country": "GB",
            },
        }
        return Submission(self.shop, detail, expected)

    @property
    def _address(self) -> Mapping[str, str]:
        return {} if self.email is None else {"email": self.email}

    @property
    def customer_ids(self) -> list[str]:
        """Who places them."""
        return [f"{self.shop}.{self.run}-{number}" for number in range(CUSTOMERS)]

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        """The `StockDelivered` details of more goods than they ask for."""
        return list(stock_deliveries(self.run, dict.fromkeys(_SKUS, _PIECES)))


def _line(number: int) -> dict[str, Any]:
    return {"sku": _SKUS[number % len(_SKUS)], "quantity": 2, "unit_price": 255, "description": "WHITE METAL LANTERN"}
