"""Low stock: the table's stream shows each change of a stock level; each time one falls low is recorded once."""

from collections.abc import Iterable, Mapping
from typing import Any

from events import streams
from events.inventory import StockLow
from handlers.runtime.observability import logger
from handlers.table import keys
from handlers.table.codec import decode
from handlers.table.event_store import Appended, EventStore, Existing


def crossing(image: Mapping[str, Any]) -> StockLow | None:
    """``StockLow`` where this change left the level under its threshold, be it by taking goods or by raising the
    threshold, and the change before had not. ``image`` is the level's new item.
    """
    level = decode(image)
    available, threshold = level["available"], level["threshold"]
    was_low = level["previous"] < level.get("previous_threshold", threshold)
    if was_low or available >= threshold:
        return None
    return StockLow(
        sku=level["PK"].removeprefix(keys.LEVEL),
        available=available,
        threshold=threshold,
        level_version=level["version"],
    )


def watch(store: EventStore, records: Iterable[Mapping[str, Any]]) -> None:
    """Record each crossing among the changes of levels, given as records of the table's stream.

    Raises:
        Retryable: try again.
    """
    for record in records:
        low = crossing(record["dynamodb"]["NewImage"])
        if low:
            record_crossing(store, low)


def record_crossing(store: EventStore, low: StockLow) -> None:
    """Append ``StockLow`` unless this crossing is recorded. A level's changes come in order, so the last is enough.

    Where another invocation was quicker with its event, it reads and decides again: that may be another crossing.

    Raises:
        Retryable: try again.
    """
    stream = streams.stock(low.sku)
    causation_id = f"{keys.level(low.sku).pk}/{low.level_version}"
    result: Appended | Existing | None = None
    while not isinstance(result, Appended):
        last = store.last(stream)
        if last and isinstance(last.event, StockLow) and last.event.level_version >= low.level_version:
            return
        version = last.version + 1 if last else 1
        result = store.append_if_absent(stream, version, low, correlation_id=low.sku, causation_id=causation_id)
    logger.info("stock is low", sku=low.sku, available=low.available, threshold=low.threshold)
