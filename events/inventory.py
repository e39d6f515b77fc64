"""Inventory: deliveries, reservations and low stock."""

from typing import Annotated

from pydantic import Field

from events.model import DomainEvent, Id, Model


class StockLine(Model):
    """A quantity of one SKU; an event names a SKU once."""

    sku: Id
    quantity: Annotated[int, Field(gt=0, le=10**9)]


class DeliveredLine(StockLine):
    """A delivered quantity. A ``threshold`` sets the level under which the SKU's stock is low."""

    threshold: Annotated[int, Field(ge=0, le=10**9)] | None = None


class StockReserved(DomainEvent):
    """Chunk ``chunk`` of ``chunks`` of an order's goods was set aside, all lines of it or none."""

    order_id: Id
    chunk: int
    chunks: int
    lines: tuple[StockLine, ...]


class ReservationRefused(DomainEvent):
    """There was not enough of these SKUs. Closes the reservation."""

    order_id: Id
    skus: tuple[Id, ...]


class StockReleased(DomainEvent):
    """Reserved chunk ``chunk`` went back on the shelf, or, over nothing (chunk 0), the reservation was closed."""

    order_id: Id
    chunk: int
    lines: tuple[StockLine, ...] = ()


class StockShipped(DomainEvent):
    """Reserved chunk ``chunk`` left the warehouse. Closes the reservation: nothing of it goes back on the shelf."""

    order_id: Id
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
