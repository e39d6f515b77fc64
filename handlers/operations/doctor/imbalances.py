"""What does not balance: the money and the goods of each order, and the levels of stock."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from events.currencies import formatted
from handlers.operations.audit.balances import AMOUNTS, Level, explained_levels, goods_reserved, goods_shipped
from handlers.operations.doctor.problem import Kind, Problem, Repair
from handlers.operations.doctor.snapshot import Snapshot
from handlers.operations.doctor.stalled_orders import due


def check(snapshot: Snapshot) -> Iterator[Problem]:
    """Orders whose money or goods do not balance though no saga is at work on them, and levels that are wrong."""
    for order_id in sorted(snapshot.orders):
        # One that has not ended need not balance, unless it is stalled.
        if order_id in (snapshot.settled_orders if due(snapshot, order_id) is None else snapshot.idle_orders):
            yield from _order(snapshot, order_id)
    yield from _levels(snapshot)


def _order(snapshot: Snapshot, order_id: str) -> Iterator[Problem]:
    def problem(wrong: str, repair: Repair) -> Problem:
        return Problem(Kind.UNBALANCED_ORDER, f"order {order_id}", wrong, repair)

    # No saga takes up again what has ended: a person has to see what happened.
    repair = Repair("history" if due(snapshot, order_id) is None else "resume", order_id)
    for wrong in _money(snapshot, order_id):
        yield problem(wrong, repair)
    if skus := list(goods_reserved(snapshot, order_id)):
        yield problem(skus[0] + (f", and {len(skus) - 1} more like this" if skus[1:] else ""), repair)
    for wrong in goods_shipped(snapshot, order_id):
        # Goods follow their parcel as soon as its event is published.
        yield problem(wrong, Repair("republish", f"shipment#{order_id}"))


def _money(snapshot: Snapshot, order_id: str) -> Iterator[str]:
    placed = snapshot.orders[order_id]
    sums: Counter[str] = Counter()
    for event in snapshot.events("payment", order_id):
        paid: Any = event
        if type(event) in AMOUNTS:
            sums[AMOUNTS[type(event)]] += paid.amount
    owed = placed.total if snapshot.is_confirmed(order_id) else 0

    def money(minor: int) -> str:
        return formatted(minor, placed.currency)

    if (taken := sums["captured"] - sums["refunded"]) != owed:
        yield f"captured less refunded is {money(taken)}, it owes {money(owed)}"
    if sums["authorized"] != (ended := sums["captured"] + sums["voided"]):
        yield f"authorized is {money(sums['authorized'])}, captured and voided add up to {money(ended)}"


def _levels(snapshot: Snapshot) -> Iterator[Problem]:
    explained = explained_levels(record for records in snapshot.streams.values() for record in records)
    for sku in sorted(explained.keys() | snapshot.table.levels.keys()):
        item, log = snapshot.table.levels.get(sku), explained.get(sku, Level())
        if item is None:
            found = "has no level"
        elif (level := Level(item.get("available", 0), item.get("version", 0))) != log:
            found = f"is {level.available} after {level.version} changes"
        else:
            continue
        wrong = f"{found}; the log has {log.available} after {log.version} changes"
        yield Problem(Kind.WRONG_LEVEL, f"stock of {sku}", wrong, Repair("recount", sku))
