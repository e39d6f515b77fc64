"""The summary of an event in a line, with nothing personal in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from events.currencies import formatted

_MANY = 5
_AS_THEY_ARE = ("reason", "tracking_number", "delivery_id", "purchase_order_id", "sku", "source", "error")
_COUNTS = ("available", "threshold", "quantity")


def event_summary(data: Mapping[str, Any]) -> str:
    """What a person wants to know of an event, from its ``data``.

    Fields are chosen by name, so that a new event shows what it shares with others. Who ordered and where it goes are
    not among them.
    """
    return ", ".join(_parts(data))


def _parts(data: Mapping[str, Any]) -> Iterator[str]:
    for name in ("total", "amount"):
        if name in data:
            yield formatted(data[name], data["currency"])
    if data.get("lines"):
        yield _count(len(data["lines"]), "line")
    if data.get("chunks", 1) > 1:
        yield f"chunk {data['chunk']} of {data['chunks']}"
    if skus := data.get("skus"):
        yield ", ".join(skus[:_MANY]) + (f" and {len(skus) - _MANY} more" if len(skus) > _MANY else "")
    yield from (str(data[name]) for name in _AS_THEY_ARE if data.get(name))
    yield from (f"{name} {data[name]}" for name in _COUNTS if data.get(name) is not None)
    if reasons := data.get("reasons"):
        first = "; ".join(": ".join(filter(None, (each["field"], each["message"]))) for each in reasons[:_MANY])
        more = data["reason_count"] - len(reasons[:_MANY])
        yield first + (f" and {more} more" if more else "")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
