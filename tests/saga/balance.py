"""What must hold of an order, of its money and of the goods it names, on the table's items alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.in_process import Item, Items

Event = tuple[str, dict[str, Any]]
"""Type and data."""


_LIVES = {
    "order": {
        "OrderPlaced",
        "OrderPlaced OrderConfirmed",
        "OrderPlaced OrderCancellationStarted",
        "OrderPlaced OrderCancellationStarted OrderCancelled",
    },
    "payment": {
        "PaymentAuthorized",
        "PaymentAuthorized PaymentCaptured",
        "PaymentAuthorized PaymentCaptured PaymentRefunded",
        "PaymentAuthorized PaymentDeclined",
        "PaymentAuthorized PaymentDeclined PaymentVoided",
        "PaymentAuthorized PaymentVoided",
        "PaymentDeclined",
        "PaymentVoided",
    },
    "shipment": {"ShipmentArranged", "ShipmentArranged ShipmentCancelled", "ShipmentCancelled", "ShipmentRejected"},
}
"""What streams may tell, by their kind."""


def log(items: Items) -> dict[str, list[Event]]:
    """The events by stream, in order; versions must be 1, 2, 3 …"""
    streams: dict[str, list[Event]] = defaultdict(list)
    for (stream, sort_key), item in sorted(items.items()):
        if "type" not in item:
            continue
        streams[stream].append((item["type"]["S"], json.loads(item["data"]["S"])))
        assert sort_key == f"event#{len(streams[stream]):010d}", f"{stream} has a gap before {sort_key}"
    return streams


def sound(items: Items) -> None:
    """What holds at every moment: no gaps, at most one outcome, no story that makes no sense, stock adds up."""
    streams = log(items)
    for stream, events in streams.items():
        lives = _LIVES.get(stream.partition("#")[0])
        life = " ".join(event_type for event_type, _ in events)
        assert lives is None or life in lives, f"{stream}: {life}"
    received, reserved = _stock(streams)
    for sku, level in _levels(items).items():
        assert level >= 0, f"{level} of {sku}"
        assert level + reserved[sku] == received[sku], (
            f"{sku}: {level} on the shelf + {reserved[sku]} reserved of {received[sku]} received"
        )
        assert reserved[sku] >= 0, f"{reserved[sku]} of {sku} are reserved"


@dataclass(frozen=True)
class End:
    """How an order ended: its status, and why where it is cancelled."""

    status: str
    reason: str | None = None


def settled(items: Items, order_id: str) -> End:
    """How the order ended; its books must balance, and the gateway's and the carrier's agree with the log."""
    streams = log(items)
    (_, placed), *_, (outcome, data) = streams[f"order#{order_id}"]
    assert outcome in {"OrderConfirmed", "OrderCancelled"}, f"no outcome, but {outcome}"
    confirmed = outcome == "OrderConfirmed"
    _money(items, streams[f"payment#{order_id}"], order_id, placed["total"] if confirmed else 0)

    _, reserved = _stock({stream: events for stream, events in streams.items() if stream.endswith(f"#{order_id}")})
    wanted = Counter[str]()
    for line in placed["lines"]:
        wanted[line["sku"]] += line["quantity"]
    assert +reserved == (wanted if confirmed else Counter()), f"reserved: {reserved}"

    shipment = [event_type for event_type, _ in streams[f"shipment#{order_id}"]]
    consignment = _book(items, "shipping", order_id)
    if confirmed:
        assert shipment == ["ShipmentArranged"], shipment
        assert consignment["book_state"] == "arranged", consignment
    else:
        closed = {"ShipmentCancelled": "cancelled", "ShipmentRejected": "rejected"}
        assert closed.get(shipment[-1]) == consignment["book_state"], f"{shipment} and {consignment}"
        arranged = "tracking_number" in consignment
        assert arranged == ("ShipmentArranged" in shipment), f"{shipment} and {consignment}"
    return End("CONFIRMED") if confirmed else End("CANCELLED", data["reason"])


def _money(items: Items, payment: Iterable[Event], order_id: str, kept: int) -> None:
    told = Counter[str]()
    for event_type, data in payment:
        told[event_type] += data.get("amount", 0)
    assert told["PaymentAuthorized"] == told["PaymentCaptured"] + told["PaymentVoided"], f"{order_id}: {told}"
    assert told["PaymentCaptured"] - told["PaymentRefunded"] == kept, f"{order_id}: {told}, to keep are {kept}"
    book = _book(items, "payments", order_id)
    # The book of a captured or voided charge still says what was authorized at first.
    assert told == Counter(
        {
            f"Payment{kind.capitalize()}": int(book.get(kind, 0))
            for kind in ("authorized", "captured", "voided", "refunded")
        }
    ), f"{order_id}: the log has {told}, the gateway {book}"
    declined = any(event_type == "PaymentDeclined" for event_type, _ in payment)
    assert declined == ("declined_because" in book), f"{order_id}: declined in the log: {declined}, the gateway {book}"
    if book:
        state = {"refunded": "PaymentRefunded", "voided": "PaymentVoided", "captured": "PaymentCaptured"}
        last = [event_type for event_type, _ in payment][-1]
        assert last == state.get(book["book_state"], "PaymentDeclined"), f"{order_id}: {last} and {book}"


def _stock(streams: dict[str, list[Event]]) -> tuple[Counter[str], Counter[str]]:
    received, reserved = Counter[str](), Counter[str]()
    for events in streams.values():
        for event_type, data in events:
            counted = {"StockReceived": (received, 1), "StockReserved": (reserved, 1), "StockReleased": (reserved, -1)}
            counter, sign = counted.get(event_type, (received, 0))
            for line in data.get("lines", ()) if sign else ():
                counter[line["sku"]] += sign * line["quantity"]
    return received, reserved


def _levels(items: Items) -> dict[str, int]:
    return {
        key.removeprefix("level#"): int(item["available"]["N"])
        for (key, _), item in items.items()
        if key.startswith("level#")
    }


def _book(items: Items, sandbox: str, order_id: str) -> dict[str, str]:
    item: Item = items.get((f"sandbox#{sandbox}#{order_id}", "book"), {})
    return {name: next(iter(value.values())) for name, value in item.items() if name not in {"PK", "SK"}}
