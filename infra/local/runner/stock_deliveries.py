"""What a run publishes besides submissions: deliveries of the stock that they need."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from events.integration import MAX_LINES
from handlers.operations.audit.published_submission import Submission

ORDER_SUBMITTED = "OrderSubmitted"
STOCK_DELIVERED = "StockDelivered"
SOURCE = "local.run"
"""The publisher of all that is published on this machine."""


def needed(submissions: Iterable[Submission]) -> Counter[str]:
    """The stock that every valid submission together needs: quantity by SKU."""
    stock: Counter[str] = Counter()
    for each in submissions:
        if each.order:
            for line in each.order.lines:
                stock[line.sku] += line.quantity
    return stock


def stock_deliveries(
    delivery_id: str, stock: Mapping[str, int], *, threshold: int | None = None
) -> Iterator[dict[str, Any]]:
    """``StockDelivered`` details that bring ``stock`` (quantity by SKU), each of as many lines as one may have."""
    lines = [
        {"sku": sku, "quantity": quantity} | ({} if threshold is None else {"threshold": threshold})
        for sku, quantity in sorted(stock.items())
    ]
    for number, start in enumerate(range(0, len(lines), MAX_LINES), start=1):
        yield {"delivery_id": f"{delivery_id}-{number}", "lines": lines[start : start + MAX_LINES]}
