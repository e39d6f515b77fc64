"""What a rate of orders costs a month, by service, at AWS's list prices. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from infra.planning.limits import VAULT, read_units, units
from infra.planning.measured import measured
from infra.planning.order import EMAILS, Order, events
from infra.planning.pricing import (
    AUDIT_OBJECT_SECONDS,
    GIGABYTE,
    express_gigabyte_seconds,
    priced,
    traces,
)
from infra.planning.stages import Stage

SECONDS_A_MONTH = 730 * 3600
"""As AWS's price pages count them."""

_MILLION = 1_000_000
_AUDIT_OBJECT_BYTES = 5 * 1024**2
"""From which size on the audit copy does not wait for more."""


@dataclass(frozen=True)
class Bill:
    """What a month costs in US dollars, by service, with a rate that never falls.

    ``idle`` is what costs without an order; what is stored is not in it. ``over_http`` comes on top where all orders
    come over HTTP.
    """

    usd: Mapping[str, float]
    over_http: float
    orders: float

    @property
    def total(self) -> float:
        """All services together."""
        return sum(self.usd.values())

    @property
    def per_million_orders(self) -> float:
        """What a million orders cost, with their share of what costs anyway."""
        return self.total / self.orders * _MILLION


def bill(order: Order, ways: Sequence[Stage], orders_per_second: float) -> Bill:
    """The bill of a month with so many orders in each second of it."""
    usd = priced({name: count * SECONDS_A_MONTH for name, count in counts(order, ways, orders_per_second).items()})
    for together in ("total", "with_everything"):
        usd.pop(together)
    over_http = usd.pop("door")
    idle = sum(measured().idle_usd_per_month.values())
    return Bill({**usd, "idle": idle}, over_http, orders_per_second * SECONDS_A_MONTH)


def counts(order: Order, ways: Sequence[Stage], orders_per_second: float) -> dict[str, float]:
    """What a second causes of all that is priced, as `infra.planning.pricing` names it."""
    rate = orders_per_second
    per_order = partial(measured().per_order, lines=order.lines)
    calls = sum(stage.calls(rate) for stage in ways)
    queues = [stage for stage in ways if stage.source == "queue"]
    outside = sum(stage.records * stage.outside_seconds for stage in ways if stage.source == "task")
    published = rate * sum(events(order.lines).values())
    archived = rate * per_order("archived_gigabytes")
    express = rate if order.lane == "express" else 0.0
    return {
        "express_requests": express,
        "express_gb_seconds": express * (per_order("express_gb_seconds") + express_gigabyte_seconds(outside)),
        "state_transitions": rate * order.transitions,
        "function_calls": calls,
        "function_gb_seconds": sum(stage.busy(rate) * stage.memory / 1024 for stage in ways),
        "put_events_entries": published,
        "archived_gigabytes": archived,
        # The bus sends a message; each call receives a batch and deletes it.
        "sqs_requests": sum(rate * stage.records + 2 * stage.calls(rate) for stage in queues),
        "write_units": units(ways, vault=False)(rate),
        f"write_units.{VAULT}": units(ways, vault=True)(rate),
        "read_units": read_units(ways)(rate),
        "log_gigabytes": rate * per_order("log_gigabytes"),
        "traces": traces(calls, 1.0),
        "firehose_gigabytes": rate * per_order("firehose_gigabytes"),
        "s3_puts": max(archived * GIGABYTE / _AUDIT_OBJECT_BYTES, min(published, 1 / AUDIT_OBJECT_SECONDS)),
        "emails": rate * EMAILS,
        "api_requests": rate,
    }
