"""Balances that do not hold: the money and the goods of each order, and the levels of stock."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from events.currencies import formatted
from handlers.operations.audit.balances import AMOUNTS, Level, explained_levels, goods_reserved, goods_shipped
from handlers.operations.doctor.look import Ailment, Look, Mend
from handlers.operations.doctor.standing import due


def check(look: Look) -> Iterator[Ailment]:
    """Orders whose money or goods do not balance though no saga is at work on them, and levels that are wrong."""
    for order_id in sorted(look.orders):
        # One that has not ended is in nobody's books, unless it stands still.
        if order_id in (look.settled_orders if due(look, order_id) is None else look.still_orders):
            yield from _order(look, order_id)
    yield from _levels(look)


def _order(look: Look, order_id: str) -> Iterator[Ailment]:
    about = f"order {order_id}"
    # What has ended no saga takes up again: a person has to see what happened.
    mend = Mend("history" if due(look, order_id) is None else "resume", order_id)
    for wrong in _money(look, order_id):
        yield Ailment(about, wrong, mend)
    if skus := list(goods_reserved(look, order_id)):
        yield Ailment(about, skus[0] + (f", and {len(skus) - 1} more like this" if skus[1:] else ""), mend)
    for wrong in goods_shipped(look, order_id):
        # Goods follow their parcel as soon as its event is told.
        yield Ailment(about, wrong, Mend("republish", f"shipment#{order_id}"))


def _money(look: Look, order_id: str) -> Iterator[str]:
    placed = look.orders[order_id]
    sums: Counter[str] = Counter()
    for event in look.events("payment", order_id):
        paid: Any = event
        if type(event) in AMOUNTS:
            sums[AMOUNTS[type(event)]] += paid.amount
    owed = placed.total if look.is_confirmed(order_id) else 0

    def told(minor: int) -> str:
        return formatted(minor, placed.currency)

    if (taken := sums["captured"] - sums["refunded"]) != owed:
        yield f"captured less refunded is {told(taken)}, it owes {told(owed)}"
    if sums["authorized"] != (ended := sums["captured"] + sums["voided"]):
        yield f"authorized is {told(sums['authorized'])}, captured and voided add up to {told(ended)}"


def _levels(look: Look) -> Iterator[Ailment]:
    explained = explained_levels(record for records in look.streams.values() for record in records)
    for sku in sorted(explained.keys() | look.table.levels.keys()):
        item, log = look.table.levels.get(sku), explained.get(sku, Level())
        mend = Mend("recount", sku)
        if item is None:
            yield Ailment(
                f"stock of {sku}", f"has no level; the log has {log.available} after {log.version} changes", mend
            )
        elif (level := Level(item.get("available", 0), item.get("version", 0))) != log:
            told = f"{level.available} after {level.version} changes"
            yield Ailment(
                f"stock of {sku}", f"is {told}; the log has {log.available} after {log.version} changes", mend
            )
