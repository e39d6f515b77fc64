"""Purchase orders happen once: one for each time that a SKU fell low, and it is fulfilled once its delivery is here."""

from collections import Counter
from collections.abc import Iterator

from events import streams
from events.inventory import PurchaseOrderFulfilled, PurchaseOrderPlaced, StockLow, StockReceived
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.run import Run


def check(run: Run) -> Iterator[Finding]:
    """What was ordered too often, too rarely or for nothing, and which orders do not know of their delivery."""
    ordered: Counter[tuple[str, str]] = Counter()
    for stream, record in run.of("purchase"):
        if isinstance(record.event, PurchaseOrderPlaced):
            ordered[record.event.sku, record.metadata.causation_id] += 1
            yield from _fulfilment(run, stream, record.event.purchase_order_id)
    for stream, record in run.of("stock"):
        if isinstance(record.event, StockLow):
            times = ordered.pop((record.event.sku, record.event_id), 0)
            if times != 1:
                yield Finding(3, f"{stream} version {record.version}", f"was answered by {times} purchase orders")
    for sku, cause in ordered:
        yield Finding(3, f"SKU {sku}", f"was ordered because of {cause}, which does not say that it was low")


def _fulfilment(run: Run, stream: str, purchase_order_id: str) -> Iterator[Finding]:
    received = [record.event for record in run.streams.get(streams.delivery(purchase_order_id), ())]
    is_here = any(isinstance(event, StockReceived) and event.chunk == event.chunks for event in received)
    fulfilled = any(isinstance(record.event, PurchaseOrderFulfilled) for record in run.streams[stream])
    if is_here != fulfilled:
        yield Finding(3, stream, f"its delivery is here: {is_here}; it is fulfilled: {fulfilled}")
