"""How fast stored events are read back and folded."""

import time
from datetime import UTC, datetime

from events import inventory, ordering, payments, shipping
from events.envelope import Actor, Metadata, event_id
from events.model import DomainEvent
from handlers.projections.order_fold import fold
from handlers.table.event_store import recorded

_ROUNDS = 5
_ORDERS = 5_000
_STARTED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def measure() -> dict[str, float]:
    """``fold_events_per_s``: the six events of a confirmed order of three lines, from their items to the order view."""
    items = [_item(stream, version, event) for stream, version, event in _confirmed_order("demo.bench-1")]
    best = min(_seconds(items) for _ in range(_ROUNDS))
    return {"fold_events_per_s": _ORDERS * len(items) / best}


def _seconds(items: list[dict[str, dict[str, str]]]) -> float:
    started = time.perf_counter()
    for _ in range(_ORDERS):
        fold(map(recorded, items))
    return time.perf_counter() - started


def _confirmed_order(order_id: str) -> list[tuple[str, int, DomainEvent]]:
    skus = ["85123A", "71053", "84406B"]
    lines = tuple(ordering.OrderLine(sku=sku, quantity=6, unit_price=255) for sku in skus)
    placed = ordering.OrderPlaced(
        order_id=order_id,
        content_hash="0" * 64,
        currency="GBP",
        total=4590,
        lines=lines,
        customer_id="demo.17850",
        has_email=True,
        destination=ordering.Destination(country="GB", postal_area="N1 "),
    )
    reserved = tuple(inventory.StockLine(sku=sku, quantity=6) for sku in skus)
    money = {"order_id": order_id, "amount": 4590, "currency": "GBP"}
    return [
        (f"order#{order_id}", 1, placed),
        (
            f"reservation#{order_id}",
            1,
            inventory.StockReserved(order_id=order_id, chunk=1, chunks=1, lines=reserved),
        ),
        (f"payment#{order_id}", 1, payments.PaymentAuthorized.model_validate({**money, "authorization_id": "auth_1"})),
        (f"shipment#{order_id}", 1, shipping.ShipmentArranged(order_id=order_id, tracking_number="trk_1")),
        (f"payment#{order_id}", 2, payments.PaymentCaptured.model_validate(money)),
        (f"order#{order_id}", 2, ordering.OrderConfirmed(order_id=order_id)),
    ]


def _item(stream: str, version: int, event: DomainEvent) -> dict[str, dict[str, str]]:
    metadata = Metadata(
        event_id=event_id(stream, version),
        stream=stream,
        version=version,
        schema_version=event.schema_version,
        occurred_at=_STARTED,
        correlation_id="demo.bench-1",
        causation_id=event_id("order#demo.bench-1", 1),
        actor=Actor(door="saga", principal="ordering_service"),
    )
    return {
        "PK": {"S": stream},
        "SK": {"S": f"event#{version:010d}"},
        "type": {"S": type(event).__name__},
        "schema_version": {"N": str(event.schema_version)},
        "data": {"S": event.model_dump_json(exclude_none=True)},
        "metadata": {"S": metadata.model_dump_json(exclude_none=True)},
    }
