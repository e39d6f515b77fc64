"""The plan for a rate of orders: its stages, limits and bill, and all of that as tables and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, NamedTuple

from infra.planning.bill import Bill, bill
from infra.planning.limits import Limit, Remedy, limits
from infra.planning.measured import measured
from infra.planning.order import Order
from infra.planning.quotas import known
from infra.planning.stages import Stage, stages

_WHOLE = 10
"""From which number on digits after the point mean nothing."""

_EXACT = 1e-9
"""How exactly the rate is known at which a limit binds."""

TITLES: Mapping[Remedy, str] = {
    "setting": "settings to change",
    "quota": "quotas to raise",
    "design": "what needs another design (docs/scaling.md)",
}


class Table(NamedTuple):
    """A table, as the command prints it and the document has it."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Plan:
    """What so many orders a second need and cost. The limits are in the order in which they bind."""

    order: Order
    orders_per_second: float
    ways: Sequence[Stage]
    limits: Sequence[Limit]
    bill: Bill

    @property
    def first(self) -> Limit:
        """The limit that binds first, whether it binds at this rate or not."""
        return self.limits[0]

    @property
    def exceeded(self) -> list[Limit]:
        """The limits that such a rate exceeds."""
        return [limit for limit in self.limits if self._exceeds(limit)]

    def tables(self) -> Iterator[Table]:
        """The tables, in the order in which they are read."""
        yield self.stages_table()
        yield self.limits_table()
        for remedy in TITLES:
            if (table := self.changes_table(remedy)).rows:
                yield table
        yield self.bill_table()

    def stages_table(self) -> Table:
        """The calls of each stage in a second, and the units of DynamoDB that it writes and reads."""
        columns = ("stage", "fed by", "records/s", "a call", "calls/s", "at once", "at most", "writes/s", "reads/s")
        return Table("stages", columns, [self._stage_row(stage) for stage in self.ways])

    def limits_table(self) -> Table:
        """Every limit: how much there is and is needed of it, from which rate on it binds, and what is late then."""
        rows = [
            (limit.name, number(limit.there_is), number(limit.demand(self.orders_per_second)), at(limit), limit.late)
            for limit in self.limits
        ]
        return Table("limits", ("limit", "there is", "needed", "binds at orders/s", "late"), rows)

    def changes_table(self, remedy: Remedy) -> Table:
        """What has to be changed for this rate, by what helps."""
        rows = [(limit.change(self.orders_per_second), limit.name) for limit in self.exceeded if limit.remedy == remedy]
        return Table(TITLES[remedy], ("change", "because of"), rows)

    def bill_table(self) -> Table:
        """A month of this rate, by service, in US dollars."""
        rows = [(service.replace("_", " "), number(usd)) for service, usd in self.bill.usd.items()]
        rows += [("total", number(self.bill.total)), ("for a million orders", number(self.bill.per_million_orders))]
        rows.append(("besides, if all come over HTTP", number(self.bill.over_http)))
        return Table("a month in US dollars, if the rate never falls", ("service", "USD"), rows)

    def first_lines(self) -> Iterator[str]:
        """The limit that binds first, and the first one that makes orders late, in words."""
        first = self.first
        yield f"binds first, at {at(first)} orders a second: {first.name} ({first.late} are late)"
        if first.late != "orders":
            of_orders = next(limit for limit in self.limits if limit.late == "orders")
            yield f"orders are late from {at(of_orders)} a second on: {of_orders.name}"

    def document(self) -> dict[str, Any]:
        """The plan as JSON has it, with when it was measured and how."""
        rate = self.orders_per_second
        return {
            "orders_per_second": rate,
            "order": asdict(self.order),
            "measured": {"date": measured().date, "how": measured().how},
            "first_limit": self.first.name,
            "stages": [
                {
                    "function": stage.function,
                    "source": stage.source,
                    "records_per_second": rate * stage.records,
                    "records_per_call": stage.batch(rate),
                    "calls_per_second": stage.calls(rate),
                    "calls_at_once": stage.busy(rate),
                    "calls_at_once_at_most": stage.at_once,
                    "seconds_per_call": stage.seconds.of(stage.batch(rate)),
                    "read_units_per_second": stage.spent(stage.read_units, rate),
                    "write_units_per_second": {
                        kind: stage.spent(cost, rate) for kind, cost in stage.write_units.items()
                    },
                }
                for stage in self.ways
            ],
            "limits": [self._limit(limit) for limit in self.limits],
            "usd_per_month": {**self.bill.usd, "total": self.bill.total, "besides_over_http": self.bill.over_http},
            "usd_per_million_orders": self.bill.per_million_orders,
        }

    def _exceeds(self, limit: Limit) -> bool:
        return self.orders_per_second > limit.binds_at * (1 + _EXACT)

    def _limit(self, limit: Limit) -> dict[str, Any]:
        exceeded = self._exceeds(limit)
        quota = known().quotas[limit.quota] if limit.quota else None
        return {
            "name": limit.name,
            "there_is": limit.there_is,
            "needed": limit.demand(self.orders_per_second),
            "binds_at_orders_per_second": None if limit.binds_at == inf else limit.binds_at,
            "exceeded": exceeded,
            "late": limit.late,
            "remedy": limit.remedy,
            "change": limit.change(self.orders_per_second) if exceeded else None,
            "source": quota.source if quota else "infra/functions.py",
            "read": quota.read if quota else None,
        }

    def _stage_row(self, stage: Stage) -> tuple[str, ...]:
        rate = self.orders_per_second
        written = sum(stage.spent(cost, rate) for cost in stage.write_units.values())
        return (
            stage.function,
            stage.source,
            number(rate * stage.records),
            number(stage.batch(rate)),
            number(stage.calls(rate)),
            number(stage.busy(rate)),
            "" if stage.at_once is None else number(stage.at_once),
            number(written),
            number(stage.spent(stage.read_units, rate)),
        )


def plan(order: Order, orders_per_second: float) -> Plan:
    """The plan for so many such orders a second."""
    ways = stages(order.lines)
    return Plan(order, orders_per_second, ways, limits(order, ways), bill(order, ways, orders_per_second))


def at(limit: Limit) -> str:
    """From which rate on a limit binds."""
    return "never" if limit.binds_at == inf else number(limit.binds_at)


def number(value: float) -> str:
    """A number as people read it: whole, or where it is small, with two digits that mean something."""
    if value >= _WHOLE or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2g}"
