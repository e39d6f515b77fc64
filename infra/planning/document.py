"""The tables of docs/scaling.md, which are what `pipeline plan` says: `python -m infra.planning` writes them again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from infra.planning.limits import VAULT, Limit, units
from infra.planning.measured import measured
from infra.planning.order import Order
from infra.planning.plan import Plan, at, number, plan
from infra.planning.quotas import known

FILE = Path(__file__).parents[2] / "docs" / "scaling.md"
RATES = (10, 100, 1_000, 10_000)
"""The orders a second that the document is about."""

_BLOCK = re.compile(r"(<!-- (?P<name>[a-z]+): [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The text with the tables that belong between its marks."""
    made = _tables([plan(Order(), rate) for rate in RATES])
    return _BLOCK.sub(lambda block: f"{block[1]}\n{made[block['name']]}\n\n{block[3]}", text)


def write() -> None:
    """Write the tables into the document."""
    FILE.write_text(filled(FILE.read_text(encoding="utf-8")), encoding="utf-8")


def _tables(plans: Sequence[Plan]) -> Mapping[str, str]:
    return {
        "summary": _markdown(("a second", *(f"{rate:,}" for rate in RATES)), _summary(plans)),
        "limits": _markdown(("limit", "there is", "binds at", "late", "helps", *map(_headed, RATES)), _limits(plans)),
        "bill": _markdown(("USD a month", *(f"{rate:,}" for rate in RATES)), _bill(plans)),
        "regions": _markdown(("regions", "invocations", "orders", "PutEvents", "orders"), _regions()),
        "measured": f"Measured on {measured().date}. {measured().how}",
    }


def _headed(rate: int) -> str:
    return f"at {rate:,}"


def _summary(plans: Sequence[Plan]) -> Iterator[tuple[str, ...]]:
    def row(name: str, values: Iterable[float]) -> tuple[str, ...]:
        return (name, *map(number, values))

    yield row("calls of functions", (sum(way.calls(each.orders_per_second) for way in each.ways) for each in plans))
    yield row("calls at once", (sum(way.busy(each.orders_per_second) for way in each.ways) for each in plans))
    yield row("write units of the table", (units(each.ways, vault=False)(each.orders_per_second) for each in plans))
    yield row(f"write units of the {VAULT}", (units(each.ways, vault=True)(each.orders_per_second) for each in plans))
    for remedy, name in (
        ("setting", "settings to change"),
        ("quota", "quotas to raise"),
        ("design", "limits of the design"),
    ):
        yield row(name, (sum(limit.remedy == remedy for limit in each.exceeded) for each in plans))
    yield row("USD a month", (each.bill.total for each in plans))
    yield row("USD for a million orders", (each.bill.per_million_orders for each in plans))


def _limits(plans: Sequence[Plan]) -> Iterator[tuple[str, ...]]:
    """The limits that bind within these rates: what each rate needs of those it exceeds."""
    exceeded = {limit.name for each in plans for limit in each.exceeded}
    for limits in zip(*(each.limits for each in plans), strict=True):
        first: Limit = limits[0]
        if first.name in exceeded:
            needed = (number(first.demand(each.orders_per_second)) if _of(each, first) else "" for each in plans)
            yield (first.name, number(first.there_is), at(first), first.late, first.remedy, *needed)


def _of(made: Plan, limit: Limit) -> bool:
    return limit.name in {each.name for each in made.exceeded}


def _bill(plans: Sequence[Plan]) -> Iterator[tuple[str, ...]]:
    for rows in zip(*(each.bill_table().rows for each in plans), strict=True):
        yield (rows[0][0], *(usd for _, usd in rows))


def _regions() -> Iterator[tuple[str, ...]]:
    """What EventBridge allows by region, and how many orders a second that is."""
    invocations, put = (known().quotas[name] for name in ("target_invocations", "put_events"))
    named: dict[tuple[float, float], list[str]] = {}
    for region in known().regions:
        named.setdefault((invocations.there_is(region), put.there_is(region)), []).append(region)
    for (invoked, putting), regions in sorted(named.items(), reverse=True):
        limits = {each.quota: each for each in plan(replace(Order(), region=regions[0]), 1).limits}
        others = (invoked, putting) == (invocations.value, put.value)
        yield (
            "all others" if others else ", ".join(regions),
            number(invoked),
            at(limits["target_invocations"]),
            number(putting),
            at(limits["put_events"]),
        )


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows))
