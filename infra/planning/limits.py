"""What bounds the rate of orders: each limit, how much of it a rate needs, and from which rate on it binds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from math import ceil, inf, isclose
from typing import Literal

from handlers.projections.counter_views import SALES, SHARDS
from handlers.table import keys
from infra.planning.measured import measured
from infra.planning.order import COPIES, EMAILS, Order, events
from infra.planning.pricing import GIGABYTE
from infra.planning.quotas import known
from infra.planning.stages import STREAM_SHARDS, Stage
from infra.settings.api import ApiSettings

Remedy = Literal["setting", "quota", "design"]
"""What helps: another value of a setting, a request to AWS, or nothing but another design."""

Late = Literal["orders", "views", "e-mails", "alerts", "audit copy", "logs", "callers"]
"""What waits, or is refused and tried again, while a limit binds. Nothing is lost. Alerts are those of low stock."""

_LATE: Mapping[str, Late] = {
    "order_view": "views",
    "counting_projections": "views",
    "order_emails": "e-mails",
    "stock_watch": "alerts",
}
"""What a function makes late that is no step of an order."""

VAULT = "vault"
"""The kind of key that stands for all of the vault's."""

_MOST_AT_ONCE = 1_000
"""How many calls at once a queue may cause at most. Source: AWS Lambda Developer Guide, scaling of SQS mappings."""

_MOST_OF_A_SHARD = 10
"""The highest parallelization factor. Source: AWS Lambda API Reference, CreateEventSourceMapping."""

_INDEX_WRITES = 2
"""Of an order, in the partitions of a status: it comes in, and goes again."""

_FASTEST = 1e9
"""Orders a second; a limit that allows as many never binds."""

_EXACT = 1e-12
"""How exactly the rate is found at which a limit binds."""

Rate = Callable[[float], float]
"""What a number of orders a second comes to."""


@dataclass(frozen=True)
class Limit:
    """A limit.

    Attributes:
        name: what is limited.
        there_is: how much there is of it, by AWS's default or as the settings ship.
        demand: how much a number of orders a second needs of it; it does not fall as they rise.
        late: what waits where there is too little.
        remedy: what helps.
        change: what is to be changed for a number of orders a second.
        quota: its name in `quotas.json`, where it is one of AWS's.
    """

    name: str
    there_is: float
    demand: Rate
    late: Late
    remedy: Remedy
    change: Callable[[float], str]
    quota: str | None = None

    @cached_property
    def binds_at(self) -> float:
        """The most orders a second that it allows; infinite, if it never binds."""
        most = self.demand(_FASTEST)
        if most <= self.there_is:
            return inf
        # Most demands grow evenly.
        even = self.there_is / most * _FASTEST
        if isclose(self.demand(even), self.there_is, rel_tol=_EXACT):
            return even
        low, high = 0.0, _FASTEST
        while high - low > high * _EXACT:
            middle = (low + high) / 2
            low, high = (middle, high) if self.demand(middle) <= self.there_is else (low, middle)
        return low


def limits(order: Order, ways: Sequence[Stage]) -> list[Limit]:
    """Every limit for such orders on their way, the one that binds first at the beginning."""
    found = chain(
        _of_services(order, ways), _of_tables(order, ways), _of_stages(ways), _of_doors(order), _of_keys(order, ways)
    )
    return sorted(found, key=lambda limit: limit.binds_at)


def units(ways: Sequence[Stage], *, vault: bool, kind: str | None = None) -> Rate:
    """The write units of the table, or of the vault, or of a kind of keys."""

    def wanted(key: str) -> bool:
        return key == kind if kind else (key == VAULT) is vault

    def spent(rate: float) -> float:
        return sum(stage.spent(cost, rate) for stage in ways for key, cost in stage.write_units.items() if wanted(key))

    return spent


def read_units(ways: Sequence[Stage]) -> Rate:
    """The read units of both tables."""
    return lambda rate: sum(stage.spent(stage.read_units, rate) for stage in ways)


def invocations(lines: int, ways: Sequence[Stage]) -> float:
    """How many targets of rules an order invokes: queues, the saga's start, and what copies every event."""
    queued = sum(stage.records for stage in ways if stage.source == "queue")
    return queued + 1 + COPIES * sum(events(lines).values())


def _of_services(order: Order, ways: Sequence[Stage]) -> Iterator[Limit]:
    quota = partial(_quota, order.region)
    in_all = sum(events(order.lines).values())
    bytes_of_events = measured().per_order("archived_gigabytes", order.lines) * GIGABYTE
    at_once = known().quotas["concurrent_executions"]
    ten = known().quotas["invocations_per_concurrency"].value

    def calls(rate: float) -> float:
        return sum(stage.calls(rate) for stage in ways)

    def put(rate: float) -> float:
        return rate + sum(stage.spent(stage.aws_calls, rate) for stage in ways if stage.publishes)

    yield quota("concurrent_executions", lambda rate: sum(stage.busy(rate) for stage in ways))
    yield Limit(
        "Lambda: calls a second",
        at_once.there_is(order.region) * ten,
        calls,
        "orders",
        "quota",
        lambda rate: f"{at_once.service} {at_once.code}, of which it is ten times: to {ceil(calls(rate) / ten):,}",
        "concurrent_executions",
    )
    yield Limit(
        known().quotas["scaling_of_a_function"].name,
        known().quotas["scaling_of_a_function"].value,
        lambda rate: max(stage.busy(rate) for stage in ways),
        "orders",
        "setting",
        lambda _: "let the rate rise over minutes, or keep instances ready: functions.<name>.provisioned",
        "scaling_of_a_function",
    )
    yield quota("put_events", put)
    yield quota("target_invocations", lambda rate: rate * invocations(order.lines, ways))
    if order.lane == "express":
        yield quota("express_starts", lambda rate: rate)
    yield quota("standard_starts", lambda rate: rate * order.in_saga)
    yield quota("state_transitions", lambda rate: rate * order.transitions)
    yield quota("emails", lambda rate: rate * EMAILS, late="e-mails")
    yield quota("firehose_requests", lambda rate: rate * in_all, late="audit copy")
    yield quota("firehose_bytes", lambda rate: rate * bytes_of_events, late="audit copy")
    yield quota("log_requests", calls, late="logs")
    yield quota("in_flight", lambda rate: max(stage.in_flight(rate) for stage in ways))


def _of_tables(order: Order, ways: Sequence[Stage]) -> Iterator[Limit]:
    quota = partial(_quota, order.region)
    written, in_vault = units(ways, vault=False), units(ways, vault=True)
    yield quota("table_writes", written)
    yield quota("table_writes", in_vault, called="DynamoDB: write units of the vault a second")
    yield quota("table_reads", read_units(ways))
    yield Limit(
        known().quotas["new_table_writes"].name,
        known().quotas["new_table_writes"].value,
        written,
        "orders",
        "setting",
        lambda rate: f"warm throughput of the table: {ceil(written(rate)):,} write units a second",
        "new_table_writes",
    )


def _of_stages(ways: Sequence[Stage]) -> Iterator[Limit]:
    """What may run at the same time of each function, with batches as large as they may be."""
    written = units(ways, vault=False)
    for stage in ways:
        if stage.at_once is None:
            continue
        change = partial(_more_at_once, stage) if stage.source == "queue" else partial(_more_of_a_shard, stage, written)
        late = _LATE.get(stage.function, "orders")
        yield Limit(f"{stage.function}: calls at once", stage.at_once, stage.needed_at_once, late, "setting", change)


def _more_at_once(stage: Stage, rate: float) -> str:
    needed = ceil(stage.needed_at_once(rate))
    most = f", and {_MOST_AT_ONCE:,} is the most of a queue" if needed > _MOST_AT_ONCE else ""
    return f"max_concurrency of {stage.function}: {stage.at_once} to {needed:,}{most}"


def _more_of_a_shard(stage: Stage, written: Rate, rate: float) -> str:
    """By then the stream may have more shards: a table has a partition for each 1,000 write units."""
    shards = max(STREAM_SHARDS, ceil(written(rate) / known().quotas["partition_writes"].value))
    now, then = (ceil(stage.needed_at_once(rate) / each) for each in (STREAM_SHARDS, shards))
    most = f"; {_MOST_OF_A_SHARD} is the most" if now > _MOST_OF_A_SHARD else ""
    return (
        f"parallelization_factor of {stage.function}: to {now}{most}; "
        f"to {then} with the {shards} shards that warm throughput brings"
    )


def _of_doors(order: Order) -> Iterator[Limit]:
    """What only orders that come over HTTP meet."""
    api = ApiSettings()
    yield _quota(order.region, "http_requests", lambda rate: rate, late="callers")
    settings = {"requests_per_second": api.requests_per_second, "plan.orders_per_second": api.plan.orders_per_second}
    for name, value in settings.items():
        change = partial(_more_over_http, name, value)
        yield Limit(f"over HTTP: api.{name}", value, lambda rate: rate, "callers", "setting", change)


def _more_over_http(name: str, value: int, rate: float) -> str:
    return f"api.{name}: {value:,} to {ceil(rate):,}"


def _of_keys(order: Order, ways: Sequence[Stage]) -> Iterator[Limit]:
    """What all orders share: a SKU in demand, a day's sales, a shop's index."""
    quotas = known().quotas
    contended, partition = quotas["contended_item"].value, quotas["partition_writes"].value
    sales = keys.views(SALES.kind).rstrip("#")
    sold = units(ways, vault=False, kind=sales)
    index_shards = len(keys.status_partitions("1", "shop", "PLACED"))
    totals = max(stage.records / stage.batch_size for stage in ways if sales in stage.write_units)
    yield Limit(
        "a SKU's level: transactions a second",
        contended,
        lambda rate: rate * order.share_of_hottest,
        "orders",
        "design",
        lambda _: "a level in several items",
        "contended_item",
    )
    yield Limit(
        "a day's sales: transactions a second on a shard's total",
        contended,
        lambda rate: rate * totals,
        "views",
        "setting",
        lambda rate: f"batches of counting_projections: {ceil(rate * totals / contended):,} times as large",
        "contended_item",
    )
    yield Limit(
        "a day's sales: write units a second of a shard",
        partition,
        lambda rate: sold(rate) / SHARDS,
        "views",
        "setting",
        lambda rate: f"SHARDS of the sales: {SHARDS} to {ceil(sold(rate) / partition)}",
        "partition_writes",
    )
    yield Limit(
        "a shop's index: write units a second of a partition",
        partition,
        lambda rate: rate * _INDEX_WRITES / index_shards,
        "views",
        "design",
        lambda rate: f"the shards of a status: {index_shards} to {ceil(rate * _INDEX_WRITES / partition)}",
        "partition_writes",
    )


def _quota(region: str, name: str, demand: Rate, *, late: Late = "orders", called: str | None = None) -> Limit:
    """A quota of AWS, in a region."""
    quota = known().quotas[name]
    there_is = quota.there_is(region)

    def change(rate: float) -> str:
        code = f"{quota.service} {quota.code}" if quota.code else "by a request to support"
        return f"{code}: {there_is:,.0f} to {ceil(demand(rate)):,}"

    return Limit(called or quota.name, there_is, demand, late, "quota", change, name)
