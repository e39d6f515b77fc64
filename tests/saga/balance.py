"""What must hold of an order, of its money and of the goods it names, on the table's items alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.engines.table import Item, Items

Event = tuple[str, dict[str, Any]]
"""Type and data."""


_UNDOING = {"PaymentVoided", "PaymentRefunded", "StockReleased", "ShipmentCancelled"}
_LIVES = {
    "order": {
        "OrderPlaced",
        "OrderPlaced OrderConfirmed",
        "OrderPlaced OrderCancellationStarted",
        "OrderPlaced OrderCancellationStarted OrderCancelled",
        "OrderPlaced OrderConfirmed OrderCancellationStarted",
        "OrderPlaced OrderConfirmed OrderCancellationStarted OrderCancelled",
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
    "shipment": {
        "ShipmentArranged",
        "ShipmentArranged ShipmentCancelled",
        "ShipmentArranged ShipmentDispatched",
        "ShipmentArranged ShipmentDispatched ShipmentDelivered",
        "ShipmentCancelled",
        "ShipmentRejected",
    },
    "cancellation": {"CancellationRequested", "CancellationRequested OrderCancellationRefused"},
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
        if stream.startswith("order#"):
            _obeyed(streams, stream.removeprefix("order#"), events)
    stock = _stock(streams)
    for sku, level in _levels(items).items():
        assert level >= 0, f"{level} of {sku}"
        assert level + stock.reserved[sku] + stock.shipped[sku] == stock.received[sku], f"{sku}: {level} and {stock}"
        assert stock.reserved[sku] >= 0, f"{stock.reserved[sku]} of {sku} are reserved"


def _obeyed(streams: dict[str, list[Event]], order_id: str, order: list[Event]) -> None:
    """Nothing is undone of an order that is not being cancelled; a confirmed one is with its shipment or not at all."""
    life = [event_type for event_type, _ in order]
    told = [
        event_type for kind in ("payment", "reservation", "shipment") for event_type in _told(streams, kind, order_id)
    ]
    cancelling = "OrderCancellationStarted" in life
    assert cancelling or not _UNDOING & set(told), f"{order_id} is {life}, but there are {told}"
    if "OrderConfirmed" in life:
        assert cancelling == ("ShipmentCancelled" in told), f"{order_id} is {life}, but there are {told}"
    assert not cancelling or "ShipmentDispatched" not in told, f"{order_id} is {life}, but there are {told}"
    assert "StockShipped" not in told or "ShipmentDispatched" in told, f"{order_id}: {told}"


def _told(streams: dict[str, list[Event]], kind: str, order_id: str) -> list[str]:
    return [event_type for event_type, _ in streams.get(f"{kind}#{order_id}", [])]


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
    shipment = _told(streams, "shipment", order_id)
    dispatched = "ShipmentDispatched" in shipment
    _money(items, streams[f"payment#{order_id}"], order_id, placed["total"] if confirmed else 0)

    stock = _stock({stream: events for stream, events in streams.items() if stream.endswith(f"#{order_id}")})
    wanted = Counter[str]()
    for line in placed["lines"]:
        wanted[line["sku"]] += line["quantity"]
    kept = wanted if confirmed else Counter[str]()
    assert +stock.reserved == (Counter() if stock.shipped else kept), f"{stock}"
    assert stock.shipped in (Counter(), kept), f"{stock}"

    consignment = _book(items, "shipping", order_id)
    if confirmed:
        assert shipment[0] == "ShipmentArranged", shipment
        # A carrier's report is believed, even of a parcel that it was told to leave, for then the parcel is gone.
        assert dispatched or consignment["book_state"] == "arranged", consignment
        asked = _told(streams, "cancellation", order_id)
        assert asked in ([], ["CancellationRequested", "OrderCancellationRefused"]), asked
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


@dataclass(frozen=True)
class Stock:
    """Quantities by SKU, as the log tells them."""

    received: Counter[str]
    reserved: Counter[str]
    shipped: Counter[str]


def _stock(streams: dict[str, list[Event]]) -> Stock:
    stock = Stock(Counter(), Counter(), Counter())
    counted = {
        "StockReceived": [(stock.received, 1)],
        "StockReserved": [(stock.reserved, 1)],
        "StockReleased": [(stock.reserved, -1)],
        "StockShipped": [(stock.reserved, -1), (stock.shipped, 1)],
    }
    for events in streams.values():
        for event_type, data in events:
            for counter, sign in counted.get(event_type, []):
                for line in data["lines"]:
                    counter[line["sku"]] += sign * line["quantity"]
    return stock


def _levels(items: Items) -> dict[str, int]:
    return {
        key.removeprefix("level#"): int(item["available"]["N"])
        for (key, _), item in items.items()
        if key.startswith("level#")
    }


def _book(items: Items, sandbox: str, order_id: str) -> dict[str, str]:
    item: Item = items.get((f"sandbox#{sandbox}#{order_id}", "book"), {})
    return {name: next(iter(value.values())) for name, value in item.items() if name not in {"PK", "SK"}}
