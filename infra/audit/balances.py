"""Invariant 5: money and stock balance, per currency and SKU, in the log and in the gateway's books alike."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from events.inventory import StockReceived, StockReleased, StockReserved, StockShipped
from events.model import DomainEvent
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentRefunded, PaymentVoided
from events.shipping import ShipmentDispatched
from infra.audit.evidence import Evidence, Finding

_AMOUNTS: dict[type[DomainEvent], str] = {
    PaymentAuthorized: "authorized",
    PaymentCaptured: "captured",
    PaymentVoided: "voided",
    PaymentRefunded: "refunded",
}

Money = Counter[tuple[str, str]]
"""Amounts by what became of them and currency."""


def check(run: Evidence) -> Iterator[Finding]:
    """Where sums do not agree, and what is negative. An order without an outcome is in no sum of money."""
    confirmed = confirmed_totals(run)
    for keeper, money in (("the log", logged_money(run)), ("the gateway's books", kept_money(run))):
        for currency in sorted(confirmed.keys() | {currency for _, currency in money}):
            yield from _money(keeper, currency, money, confirmed[currency])
    for order_id, placed in run.orders.items():
        total = sum(line.quantity * line.unit_price for line in placed.lines)
        if placed.total != total:
            yield Finding(5, f"order {order_id}", f"its total is {placed.total}, its lines add up to {total}")
    yield from _levels(run)
    yield from _reservations(run)


def confirmed_totals(run: Evidence) -> Counter[str]:
    """The sum of the totals of confirmed orders, by currency."""
    totals: Counter[str] = Counter()
    for order_id, placed in run.orders.items():
        if run.is_confirmed(order_id):
            totals[placed.currency] += placed.total
    return totals


def logged_money(run: Evidence) -> Money:
    """What was authorized, captured, voided and refunded, as the log has it."""
    money: Money = Counter()
    for stream, record in run.of("payment"):
        event: Any = record.event
        if type(event) in _AMOUNTS and stream.partition("#")[2] not in run.unfinished:
            money[_AMOUNTS[type(event)], event.currency] += event.amount
    return money


def kept_money(run: Evidence) -> Money:
    """The same as the gateway's books have it."""
    money: Money = Counter()
    for order_id, book in run.table.charges.items():
        for what in _AMOUNTS.values():
            if book.get(what) and order_id not in run.unfinished:
                money[what, book["currency"]] += book[what]
    return money


def _money(keeper: str, currency: str, money: Mapping[tuple[str, str], int], confirmed: int) -> Iterator[Finding]:
    amount = {what: money[what, currency] for what in _AMOUNTS.values()}
    taken = amount["captured"] - amount["refunded"]
    if taken != confirmed:
        wrong = f"captured less refunded is {taken}, confirmed orders add up to {confirmed}"
        yield Finding(5, f"{currency} in {keeper}", wrong)
    ended = amount["captured"] + amount["voided"]
    if amount["authorized"] != ended:
        wrong = f"authorized is {amount['authorized']}, captured and voided add up to {ended}"
        yield Finding(5, f"{currency} in {keeper}", wrong)
    for what, value in amount.items():
        if value < 0:
            yield Finding(5, f"{currency} in {keeper}", f"{what} is {value}")


def _levels(run: Evidence) -> Iterator[Finding]:
    on_shelf: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    for kind in ("delivery", "reservation"):
        for _, record in run.of(kind):
            event = record.event
            if isinstance(event, StockReceived | StockReserved | StockReleased):
                sign = -1 if isinstance(event, StockReserved) else 1
                for line in event.lines:
                    on_shelf[line.sku] += sign * line.quantity
                    changes[line.sku] += 1
    for sku in sorted(changes.keys() | run.table.levels.keys()):
        level = run.table.levels.get(sku, {"available": 0, "version": 0})
        if level["available"] != on_shelf[sku]:
            wrong = f"{level['available']} are available, received less reserved is {on_shelf[sku]}"
            yield Finding(5, f"SKU {sku}", wrong)
        if level["available"] < 0:
            yield Finding(5, f"SKU {sku}", f"{level['available']} are available")
        if level["version"] != changes[sku]:
            yield Finding(
                5, f"SKU {sku}", f"its level changed {level['version']} times, the log explains {changes[sku]}"
            )


def _reservations(run: Evidence) -> Iterator[Finding]:
    """Where what is set aside for an order or shipped, together, is not what it takes, and where it is shipped only if
    the parcel is dispatched."""
    for order_id in run.orders.keys() - run.unfinished:
        reserved: Counter[str] = Counter()
        shipped: Counter[str] = Counter()
        for event in run.events("reservation", order_id):
            if isinstance(event, StockReserved | StockReleased):
                for line in event.lines:
                    reserved[line.sku] += line.quantity if isinstance(event, StockReserved) else -line.quantity
            elif isinstance(event, StockShipped):
                for line in event.lines:
                    shipped[line.sku] += line.quantity
        dispatched = any(isinstance(event, ShipmentDispatched) for event in run.events("shipment", order_id))
        if shipped != (+reserved if dispatched else Counter()):
            wrong = f"{shipped.total()} pieces are shipped, {reserved.total()} set aside; dispatched: {dispatched}"
            yield Finding(5, f"order {order_id}", wrong)
        ordered: Counter[str] = Counter()
        if run.is_confirmed(order_id):
            for ordered_line in run.orders[order_id].lines:
                ordered[ordered_line.sku] += ordered_line.quantity
        for sku in sorted(reserved.keys() | ordered.keys()):
            if reserved[sku] != ordered[sku]:
                wrong = f"{reserved[sku]} of {sku} are reserved, it takes {ordered[sku]}"
                yield Finding(5, f"order {order_id}", wrong)
