"""What must hold of an order, of its money, of the goods it names and of its vault, on the items alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.engines.table import Item, Items, Key, in_vault

Event = tuple[str, dict[str, Any]]
"""Type and data."""


_UNDOING = {"PaymentVoided", "PaymentRefunded", "StockReleased", "ShipmentCancelled"}
_HISTORIES = {
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
    "unknown-order": {"UnknownOrderCancellationRefused"},
}
"""The event types that a stream may have, in their order, by the kind of the stream."""


def log(items: Items) -> dict[str, list[Event]]:
    """The events by stream, in order; versions must be 1, 2, 3 …"""
    streams: dict[str, list[Event]] = defaultdict(list)
    for (stream, sort_key), item in sorted(items.items()):
        if "type" not in item:
            continue
        streams[stream].append((item["type"]["S"], json.loads(item["data"]["S"])))
        assert sort_key == f"event#{len(streams[stream]):010d}", f"{stream} has a gap before {sort_key}"
    return streams


def check_always(items: Items) -> None:
    """Checks what holds at every moment: no gaps, at most one outcome, no impossible history, stock adds up, and the
    vault has what it must, and nobody else.
    """
    streams = log(items)
    for stream, events in streams.items():
        allowed = _HISTORIES.get(stream.partition("#")[0])
        history = " ".join(event_type for event_type, _ in events)
        assert allowed is None or history in allowed, f"{stream}: {history}"
        if stream.startswith("order#"):
            _check_order(streams, stream.removeprefix("order#"), events)
    _check_vault(streams, items)
    stock = _stock(streams)
    for sku, level in _levels(items).items():
        assert level >= 0, f"{level} of {sku}"
        assert level + stock.reserved[sku] + stock.shipped[sku] == stock.received[sku], f"{sku}: {level} and {stock}"
        assert stock.reserved[sku] >= 0, f"{stock.reserved[sku]} of {sku} are reserved"


def _check_order(streams: dict[str, list[Event]], order_id: str, order: list[Event]) -> None:
    """Nothing is undone of an order that is not being cancelled; a confirmed one is with its shipment or not at all."""
    history = [event_type for event_type, _ in order]
    others = [
        event_type for kind in ("payment", "reservation", "shipment") for event_type in _types(streams, kind, order_id)
    ]
    cancelling = "OrderCancellationStarted" in history
    assert cancelling or not _UNDOING & set(others), f"{order_id} is {history}, but there are {others}"
    if "OrderConfirmed" in history:
        assert cancelling == ("ShipmentCancelled" in others), f"{order_id} is {history}, but there are {others}"
    assert not cancelling or "ShipmentDispatched" not in others, f"{order_id} is {history}, but there are {others}"
    assert "StockShipped" not in others or "ShipmentDispatched" in others, f"{order_id}: {others}"


def _check_vault(streams: dict[str, list[Event]], items: Items) -> None:
    """It has one person an order and no other. A token is there at least until the gateway's answer is recorded, unless
    the order is being cancelled; and every token expires.
    """
    orders = {events[0][1]["order_id"]: events for stream, events in streams.items() if stream.startswith("order#")}
    vaulted = vault(items)
    tokens = {key: item for key, item in vaulted.items() if key[1].startswith("token#")}
    assert vaulted.keys() - tokens == {_person(placed) for (_, placed), *_ in orders.values()}
    assert all("expires_at" in item for item in tokens.values()), tokens
    for order_id, ((_, placed), *later) in orders.items():
        answered = f"payment#{order_id}" in streams
        cancelling = "OrderCancellationStarted" in {event_type for event_type, _ in later}
        assert token_of(placed) in tokens or answered or cancelling, f"{order_id} has no way to pay"


def vault(items: Items) -> Items:
    """The items in the vault."""
    return {key: item for key, item in items.items() if key[0].startswith(in_vault(""))}


def _person(placed: dict[str, Any]) -> Key:
    shop, _, own_id = placed["order_id"].partition(".")
    customer = placed["customer_id"].removeprefix(f"{shop}.") if "customer_id" in placed else f"order#{own_id}"
    return in_vault(f"{shop}#{customer}"), own_id


def token_of(placed: dict[str, Any]) -> Key:
    """The key of the token that an order was placed with."""
    return in_vault(placed["order_id"]), f"token#{placed['content_hash']}"


def _types(streams: dict[str, list[Event]], kind: str, order_id: str) -> list[str]:
    return [event_type for event_type, _ in streams.get(f"{kind}#{order_id}", [])]


@dataclass(frozen=True)
class End:
    """How an order ended: its status, and why where it is cancelled."""

    status: str
    reason: str | None = None


def settled(items: Items, order_id: str) -> End:
    """How the order ended; its books must balance, the gateway's and the carrier's agree with the log, and its payment
    token is gone.
    """
    streams = log(items)
    (_, placed), *_, (outcome, data) = streams[f"order#{order_id}"]
    assert outcome in {"OrderConfirmed", "OrderCancelled"}, f"no outcome, but {outcome}"
    assert token_of(placed) not in items, "its payment token is left"
    confirmed = outcome == "OrderConfirmed"
    shipment = _types(streams, "shipment", order_id)
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
        # A carrier's report is believed, even of a recalled parcel: the parcel is then gone.
        assert dispatched or consignment["book_state"] == "arranged", consignment
        asked = _types(streams, "cancellation", order_id)
        assert asked in ([], ["CancellationRequested", "OrderCancellationRefused"]), asked
    else:
        closed = {"ShipmentCancelled": "cancelled", "ShipmentRejected": "rejected"}
        assert closed.get(shipment[-1]) == consignment["book_state"], f"{shipment} and {consignment}"
        arranged = "tracking_number" in consignment
        assert arranged == ("ShipmentArranged" in shipment), f"{shipment} and {consignment}"
    return End("CONFIRMED") if confirmed else End("CANCELLED", data["reason"])


def _money(items: Items, payment: Iterable[Event], order_id: str, kept: int) -> None:
    sums = Counter[str]()
    for event_type, data in payment:
        sums[event_type] += data.get("amount", 0)
    assert sums["PaymentAuthorized"] == sums["PaymentCaptured"] + sums["PaymentVoided"], f"{order_id}: {sums}"
    assert sums["PaymentCaptured"] - sums["PaymentRefunded"] == kept, f"{order_id}: {sums}, to keep are {kept}"
    book = _book(items, "payments", order_id)
    # The book of a captured or voided charge still says what was authorized at first.
    assert sums == Counter(
        {
            f"Payment{kind.capitalize()}": int(book.get(kind, 0))
            for kind in ("authorized", "captured", "voided", "refunded")
        }
    ), f"{order_id}: the log has {sums}, the gateway {book}"
    declined = any(event_type == "PaymentDeclined" for event_type, _ in payment)
    assert declined == ("declined_because" in book), f"{order_id}: declined in the log: {declined}, the gateway {book}"
    if book:
        state = {"refunded": "PaymentRefunded", "voided": "PaymentVoided", "captured": "PaymentCaptured"}
        last = [event_type for event_type, _ in payment][-1]
        assert last == state.get(book["book_state"], "PaymentDeclined"), f"{order_id}: {last} and {book}"


@dataclass(frozen=True)
class Stock:
    """Quantities by SKU, according to the log."""

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
