"""Invariant 5: money and stock balance, per currency and SKU, in the log and in the gateway's books alike."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from events.envelope import Recorded
from events.inventory import StockReceived, StockReleased, StockReserved, StockShipped
from events.model import DomainEvent
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentRefunded, PaymentVoided
from events.shipping import ShipmentDispatched
from handlers.operations.audit.evidence import Evidence, Finding

AMOUNTS: dict[type[DomainEvent], str] = {
    PaymentAuthorized: "authorized",
    PaymentCaptured: "captured",
    PaymentVoided: "voided",
    PaymentRefunded: "refunded",
}
"""What becomes of its amount with each event of a payment."""

Money = Counter[tuple[str, str]]
"""Amounts by what became of them and currency."""


class Level(NamedTuple):
    """How much of a SKU is on the shelf, and how often that changed."""

    available: int = 0
    version: int = 0


def check(evidence: Evidence) -> Iterator[Finding]:
    """Where sums do not agree, and what is negative. An order without an outcome is in no sum of money."""
    confirmed = confirmed_totals(evidence)
    for keeper, money in (("the log", logged_money(evidence)), ("the gateway's books", kept_money(evidence))):
        for currency in sorted(confirmed.keys() | {currency for _, currency in money}):
            yield from _money(keeper, currency, money, confirmed[currency])
    for order_id, placed in evidence.orders.items():
        total = sum(line.quantity * line.unit_price for line in placed.lines)
        if placed.total != total:
            yield Finding(5, f"order {order_id}", f"its total is {placed.total}, its lines add up to {total}")
    yield from _levels(evidence)
    yield from _reservations(evidence)


def confirmed_totals(evidence: Evidence) -> Counter[str]:
    """The sum of the totals of confirmed orders, by currency."""
    totals: Counter[str] = Counter()
    for order_id, placed in evidence.orders.items():
        if evidence.is_confirmed(order_id):
            totals[placed.currency] += placed.total
    return totals


def logged_money(evidence: Evidence) -> Money:
    """What was authorized, captured, voided and refunded, as the log has it."""
    money: Money = Counter()
    for stream, record in evidence.of("payment"):
        event: Any = record.event
        if type(event) in AMOUNTS and stream.partition("#")[2] not in evidence.unfinished:
            money[AMOUNTS[type(event)], event.currency] += event.amount
    return money


def kept_money(evidence: Evidence) -> Money:
    """The same as the gateway's books have it."""
    money: Money = Counter()
    for order_id, book in evidence.table.charges.items():
        for what in AMOUNTS.values():
            if book.get(what) and order_id not in evidence.unfinished:
                money[what, book["currency"]] += book[what]
    return money


def _money(keeper: str, currency: str, money: Mapping[tuple[str, str], int], confirmed: int) -> Iterator[Finding]:
    amount = {what: money[what, currency] for what in AMOUNTS.values()}
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


def _levels(evidence: Evidence) -> Iterator[Finding]:
    explained = explained_levels(record for records in evidence.streams.values() for record in records)
    for sku in sorted(explained.keys() | evidence.table.levels.keys()):
        level = evidence.table.levels.get(sku, {"available": 0, "version": 0})
        on_shelf, changes = explained.get(sku, Level())
        if level["available"] != on_shelf:
            wrong = f"{level['available']} are available, received less reserved is {on_shelf}"
            yield Finding(5, f"SKU {sku}", wrong)
        if level["available"] < 0:
            yield Finding(5, f"SKU {sku}", f"{level['available']} are available")
        if level["version"] != changes:
            yield Finding(5, f"SKU {sku}", f"its level changed {level['version']} times, the log explains {changes}")


def explained_levels(records: Iterable[Recorded]) -> dict[str, Level]:
    """The levels that the log explains, by SKU. Takes every event of deliveries and reservations, in any order."""
    levels: dict[str, Level] = {}
    for record in records:
        event = record.event
        if isinstance(event, StockReceived | StockReserved | StockReleased):
            sign = -1 if isinstance(event, StockReserved) else 1
            for line in event.lines:
                available, version = levels.get(line.sku, Level())
                levels[line.sku] = Level(available + sign * line.quantity, version + 1)
    return levels


def _reservations(evidence: Evidence) -> Iterator[Finding]:
    for order_id in evidence.orders.keys() - evidence.unfinished:
        for wrong in (*goods_shipped(evidence, order_id), *goods_reserved(evidence, order_id)):
            yield Finding(5, f"order {order_id}", wrong)


def goods_shipped(evidence: Evidence, order_id: str) -> Iterator[str]:
    """What is wrong if an order's goods are shipped: all that is set aside is, if its parcel is dispatched."""
    reserved, shipped = _reserved(evidence, order_id), Counter[str]()
    for event in evidence.events("reservation", order_id):
        if isinstance(event, StockShipped):
            for line in event.lines:
                shipped[line.sku] += line.quantity
    dispatched = any(isinstance(event, ShipmentDispatched) for event in evidence.events("shipment", order_id))
    if shipped != (+reserved if dispatched else Counter()):
        yield f"{shipped.total()} pieces are shipped, {reserved.total()} set aside; dispatched: {dispatched}"


def goods_reserved(evidence: Evidence, order_id: str) -> Iterator[str]:
    """What is wrong with what is set aside for an order, or shipped: what it takes if it is confirmed, else nothing."""
    reserved, ordered = _reserved(evidence, order_id), Counter[str]()
    if evidence.is_confirmed(order_id):
        for ordered_line in evidence.orders[order_id].lines:
            ordered[ordered_line.sku] += ordered_line.quantity
    for sku in sorted(reserved.keys() | ordered.keys()):
        if reserved[sku] != ordered[sku]:
            yield f"{reserved[sku]} of {sku} are reserved, it takes {ordered[sku]}"


def _reserved(evidence: Evidence, order_id: str) -> Counter[str]:
    reserved: Counter[str] = Counter()
    for event in evidence.events("reservation", order_id):
        if isinstance(event, StockReserved | StockReleased):
            for line in event.lines:
                reserved[line.sku] += line.quantity if isinstance(event, StockReserved) else -line.quantity
    return reserved
