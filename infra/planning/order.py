"""The orders that are planned for, and what one of them comes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from events.inventory import StockReserved
from events.model import Model
from events.ordering import OrderConfirmed, OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured
from events.shipping import ShipmentArranged
from handlers.inventory.reservation import CHUNK

Lane = Literal["express", "standard"]

EMAILS = 2
"""Of a confirmed order at most: every order is taken for the first one of its customer."""

COPIES = 2
"""Targets of every event besides the subscribers: the archive and the audit copy."""

CONFIRMED_TRANSITIONS, CANCELLED_TRANSITIONS = 6, 10
"""Of a Standard execution of the order saga that confirms an order, and at most of one that cancels it: its start, and
each state that it enters."""

HANDED_OVER = 0.05
"""The share of orders with which something does not go well, so that the express lane hands them over to the saga: an
assumption. While an outside service is down, all orders are handed over."""


@dataclass(frozen=True)
class Order:
    """The orders that are planned for, all of one shop.

    Attributes:
        lines: of an order, each of another SKU.
        skus: how many there are.
        hot_sku: the share of orders that have the SKU that most have.
        region: where they are taken.
        lane: the state machine that each starts.
    """

    lines: int = 3
    skus: int = 10_000
    hot_sku: float = 0.05
    region: str = "us-east-1"
    lane: Lane = "express"

    @property
    def share_of_hottest(self) -> float:
        """The share of orders that have the SKU that most have: no less than if all SKUs sold alike."""
        return max(self.hot_sku, min(1.0, self.lines / self.skus))

    @property
    def in_saga(self) -> float:
        """The share of orders that take a Standard execution."""
        return 1.0 if self.lane == "standard" else HANDED_OVER

    @property
    def transitions(self) -> float:
        """Of Standard executions, for an order: what is handed over is cancelled, at worst."""
        return (self.in_saga - HANDED_OVER) * CONFIRMED_TRANSITIONS + HANDED_OVER * CANCELLED_TRANSITIONS


def events(lines: int) -> Mapping[type[Model], int]:
    """The events of an order of so many lines, and how often each is appended."""
    once = (OrderPlaced, PaymentAuthorized, ShipmentArranged, PaymentCaptured, OrderConfirmed)
    return {**dict.fromkeys(once, 1), StockReserved: ceil(lines / CHUNK)}
