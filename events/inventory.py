"""Inventory: deliveries, reservations, low stock, and what is ordered against it."""

from typing import Annotated

from pydantic import Field

from events.model import DomainEvent, Id, Model, OrderId

MAX_PIECES = 10**9

Pieces = Annotated[int, Field(gt=0, le=MAX_PIECES)]
"""How much of a SKU moves at once."""


class StockLine(Model):
    """A quantity of one SKU; an event names a SKU once."""

    sku: Id
    quantity: Pieces


class DeliveredLine(StockLine):
    """A delivered quantity. A ``threshold`` sets the level under which the SKU's stock is low."""

    threshold: Annotated[int, Field(ge=0, le=MAX_PIECES)] | None = None


class StockReserved(DomainEvent):
    """Chunk ``chunk`` of ``chunks`` of an order's stock was reserved, all lines of it or none."""

    order_id: OrderId
    chunk: int
    chunks: int
    lines: tuple[StockLine, ...]


class ReservationRefused(DomainEvent):
    """There was not enough of these SKUs. Closes the reservation."""

    order_id: OrderId
    skus: tuple[Id, ...]


class StockReleased(DomainEvent):
    """Reserved chunk ``chunk`` went back on the shelf, or, over nothing (chunk 0), the reservation was closed."""

    order_id: OrderId
    chunk: int
    lines: tuple[StockLine, ...] = ()


class StockShipped(DomainEvent):
    """Reserved chunk ``chunk`` left the warehouse. Closes the reservation: nothing of it goes back on the shelf."""

    order_id: OrderId
    chunk: int
    lines: tuple[StockLine, ...]


class StockReceived(DomainEvent):
    """Chunk ``chunk`` of ``chunks`` of a delivery was put on the shelf."""

    delivery_id: Id
    chunk: int
    chunks: int
    lines: tuple[DeliveredLine, ...]


class StockLow(DomainEvent):
    """The available stock of a SKU fell under its threshold; ``level_version`` numbers the change that did it."""

    sku: Id
    available: int
    threshold: int
    level_version: int


class PurchaseOrderPlaced(DomainEvent):
    """A quantity of a SKU was ordered from a supplier, to come in a delivery with the purchase order's id."""

    purchase_order_id: Id
    sku: Id
    quantity: Pieces


class PurchaseOrderFulfilled(DomainEvent):
    """The delivery with the purchase order's id is on the shelf. The delivery's own stream has what was in it."""

    purchase_order_id: Id
