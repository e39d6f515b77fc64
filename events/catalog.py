"""The catalog: every domain event by type, and reading stored JSON back into events."""

from collections.abc import Callable
from typing import Any

from pydantic_core import from_json, to_json

from events import inventory, notification, operations, ordering, payments, privacy, shipping
from events.model import DomainEvent
from events.upcasting import upcast

_EVENTS: tuple[type[DomainEvent], ...] = (
    ordering.OrderPlaced,
    ordering.OrderConfirmed,
    ordering.OrderCancellationStarted,
    ordering.OrderCancelled,
    ordering.OrderRejected,
    ordering.CancellationRequested,
    ordering.OrderCancellationRefused,
    ordering.UnknownOrderCancellationRefused,
    inventory.StockReserved,
    inventory.ReservationRefused,
    inventory.StockReleased,
    inventory.StockShipped,
    inventory.StockReceived,
    inventory.StockLow,
    inventory.PurchaseOrderPlaced,
    inventory.PurchaseOrderFulfilled,
    payments.PaymentAuthorized,
    payments.PaymentDeclined,
    payments.PaymentCaptured,
    payments.PaymentVoided,
    payments.PaymentRefunded,
    shipping.ShipmentArranged,
    shipping.ShipmentRejected,
    shipping.ShipmentCancelled,
    shipping.ShipmentDispatched,
    shipping.ShipmentDelivered,
    notification.EmailClaimed,
    notification.EmailRefused,
    notification.CustomerNotified,
    operations.DeadLetterStored,
    privacy.CustomerErased,
)

DOMAIN_EVENTS: dict[str, type[DomainEvent]] = {event.__name__: event for event in _EVENTS}
"""Domain events by type. A new event is added here, and nowhere else."""

_readers: dict[tuple[str, int], Callable[[str], DomainEvent]] = {}


def read(event_type: str, schema_version: int, data: str) -> DomainEvent:
    """Read stored JSON back into the event it was, upcast to today's schema.

    Raises:
        KeyError: the type is not in the catalog.
        pydantic.ValidationError: the JSON does not fit the schema.
    """
    reader = _readers.get((event_type, schema_version))
    if reader is None:
        reader = _readers[event_type, schema_version] = _reader(event_type, schema_version)
    return reader(data)


def _reader(event_type: str, schema_version: int) -> Callable[[str], DomainEvent]:
    model = DOMAIN_EVENTS[event_type]
    if schema_version == model.schema_version:
        model.model_rebuild()
        return model.__pydantic_validator__.validate_json

    def read_older(data: str) -> DomainEvent:
        older: dict[str, Any] = from_json(data)
        return model.model_validate_json(to_json(upcast(event_type, schema_version, older, model.schema_version)))

    return read_older
