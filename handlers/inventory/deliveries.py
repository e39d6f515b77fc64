"""Deliveries: goods that arrived become stock, once however often the delivery is reported."""

from pydantic import ValidationError

from events import streams
from events.integration import StockDelivered
from events.inventory import DeliveredLine, StockReceived
from events.ordering import RejectionReason
from handlers.intake.requests import Request
from handlers.intake.validation import Refused, canonical, reasons
from handlers.inventory import stock_levels
from handlers.inventory.reservation import CHUNK
from handlers.runtime.observability import about
from handlers.table.event_store import Conflict, EventStore

_OTHER_CONTENT = RejectionReason(
    field="delivery_id", message="a delivery with this id and other content was received before"
)


def merged(lines: tuple[DeliveredLine, ...]) -> list[DeliveredLine]:
    """One line per SKU, sorted: quantities added, the last threshold given."""
    by_sku: dict[str, DeliveredLine] = {}
    for line in lines:
        before = by_sku.get(line.sku)
        by_sku[line.sku] = line if before is None else _sum(before, line)
    return [by_sku[sku] for sku in sorted(by_sku)]


def _sum(before: DeliveredLine, line: DeliveredLine) -> DeliveredLine:
    threshold = before.threshold if line.threshold is None else line.threshold
    return DeliveredLine(sku=line.sku, quantity=before.quantity + line.quantity, threshold=threshold)


def receive(store: EventStore, request: Request) -> None:
    """Put a delivery on the shelf, a chunk of 99 SKUs per transaction; chunks received before are skipped.

    Raises:
        Refused: the delivery is invalid, or its id is taken by another one.
        Retryable: try again.
    """
    try:
        delivery = StockDelivered.model_validate_json(canonical(request.detail))
        lines = merged(delivery.lines)
    except ValidationError as invalid:
        raise Refused(reasons(invalid)) from None
    chunks = [tuple(lines[start : start + CHUNK]) for start in range(0, len(lines), CHUNK)]
    with about(delivery.delivery_id, "receive"):
        for chunk, part in enumerate(chunks, start=1):
            received = StockReceived(delivery_id=delivery.delivery_id, chunk=chunk, chunks=len(chunks), lines=part)
            try:
                store.append_with(
                    streams.delivery(delivery.delivery_id),
                    chunk,
                    received,
                    stock_levels.deliver(store.table, part),
                    correlation_id=delivery.delivery_id,
                    causation_id=request.id,
                )
            except Conflict as conflict:
                if conflict.existing.event != received:
                    raise Refused([_OTHER_CONTENT]) from conflict
