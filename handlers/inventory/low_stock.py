"""Low stock: the table's stream shows each change of a stock level; one that falls low is recorded once."""

from collections.abc import Iterable, Mapping
from typing import Any

from events import streams
from events.inventory import StockLow
from handlers.runtime.observability import logger
from handlers.table import keys
from handlers.table.codec import decode
from handlers.table.event_store import EventStore


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
        Throttled: try again.
    """
    for record in records:
        low = crossing(record["dynamodb"]["NewImage"])
        if low:
            tell(store, low)


def tell(store: EventStore, low: StockLow) -> None:
    """Append ``StockLow`` unless this crossing has been told. A level's changes come in order, so the last is enough.

    Raises:
        Throttled: try again.
    """
    stream = streams.stock(low.sku)
    last = store.last(stream)
    if last and isinstance(last.event, StockLow) and last.event.level_version >= low.level_version:
        return
    version = last.version + 1 if last else 1
    cause = f"{keys.level(low.sku).pk}/{low.level_version}"
    store.standing(stream, version, low, correlation_id=low.sku, causation_id=cause)
    logger.info("stock is low", sku=low.sku, available=low.available, threshold=low.threshold)
