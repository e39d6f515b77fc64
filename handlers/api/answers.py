"""What the API answers."""

from typing import Any, Literal

from pydantic import BaseModel

from events.envelope import Door
from handlers.vault.person import Person

Status = Literal["REJECTED", "PLACED", "CONFIRMED", "CANCELLING", "CANCELLED"]
"""In the order in which an order may have them."""


class Accepted(BaseModel):
    """A request that was accepted, and where its result is found."""

    order_id: str
    status_url: str


class OrderSummary(BaseModel):
    """An order in a list. Amounts are in the currency's minor unit, times UTC."""

    order_id: str
    status: Status
    currency: str | None = None
    total: int | None = None
    placed_at: str | None = None


class OrderStatus(OrderSummary):
    """The status of an order. A submission that was rejected has only its status and what was wrong.

    ``personal_data`` is ``erased`` once the person behind it is forgotten.
    """

    customer_id: str | None = None
    line_count: int | None = None
    reason: str | None = None
    stock: str | None = None
    payment: str | None = None
    payment_reason: str | None = None
    shipment: str | None = None
    shipment_reason: str | None = None
    tracking_number: str | None = None
    cancellation: str | None = None
    personal_data: str | None = None
    rejection: str | None = None
    rejection_count: int | None = None


class OrderPage(BaseModel):
    """Orders, newest first; ``cursor`` leads to those after them, and is null at the end."""

    orders: list[OrderSummary]
    cursor: str | None = None


class EventActor(BaseModel):
    """Who caused an event: by which door, and who there. A shop sees who it was where it was one of its own clients.

    ``redriven_by`` is the operator who redrove the message that it comes from, which operators see.
    """

    door: Door
    principal: str | None = None
    redriven_by: str | None = None


class HistoryEvent(BaseModel):
    """A fact about an order, who caused it, and its place in the log."""

    type: str
    stream: str
    version: int
    occurred_at: str
    actor: EventActor
    data: dict[str, Any]


class PersonShown(Person):
    """The person behind an order, and why they cancelled it, if they said."""

    cancellation_reason: str | None = None


class OrderHistory(BaseModel):
    """All that happened to an order, in the order it happened, and the person behind it.

    ``person`` is ``erased`` once the person is forgotten, and null where no order was placed.
    """

    events: list[HistoryEvent]
    person: PersonShown | Literal["erased"] | None = None


class CancellationStatus(BaseModel):
    """What became of a request to cancel an order, and why, where that is known."""

    order_id: str
    status: Literal["requested", "cancelling", "cancelled", "refused"]
    reason: str | None = None


class Stock(BaseModel):
    """How much of a SKU is to be had, is reserved for orders, and was shipped; the latter two as last counted."""

    sku: str
    available: int
    reserved: int
    shipped: int
