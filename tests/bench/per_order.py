"""What a confirmed order costs: counted while it happens, alone and at load, and priced at AWS's list prices."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from events.shops import of_shop
from infra.local.pipeline import Pipeline
from infra.local.pipeline import pipeline as run_pipeline
from infra.local.runner.order_run import percentile
from infra.names import DEMO_SHOP
from infra.planning import document
from infra.planning.measured import ALONE, AT_LOAD, MANY_LINES, Measured, Run, Timed, write
from infra.planning.pricing import GIGABYTE, priced
from infra.planning.simulation.result import SHARES
from tests.bench import idle
from tests.bench.order_counts import counting

_MILLION = 1_000_000
_SKUS = 1_000
_PATIENCE_SECONDS = 120.0
_WARM_UP_SECONDS = 10
_USER_TICKS, _SYSTEM_TICKS = 11, 12
"""Where ``/proc/<process>/stat`` has what a process worked, counted from after its name."""

Measurement = tuple[dict[str, float], Run]
"""Figures, and the run that they are of, as the plan uses it."""


def measure_alone(pipeline: Pipeline) -> Measurement:
    """``per_order.alone.*`` and ``usd_per_million_orders.alone.*`` of an order of three lines, with nothing beside it.

    The express lane confirms it. A first order warms the functions up, so that durations are those of warm calls.
    """
    orders = _Orders(pipeline)
    with counting(pipeline) as counts:
        orders.stock()
        orders.confirmed(orders.submit("alone-first", 1, 1.0, 3))
        counts.quiet()
        counts.begin()
        orders.confirmed(orders.submit("alone", 1, 1.0, 3))
        counts.quiet()
        run = Run(1, 0.0, 3, *counts.counts(1))
        return _figures(ALONE, run.per_order), run


def measure_at_load(
    pipeline: Pipeline, *, name: str = AT_LOAD, number: int = 1_000, per_second: float = 8.0, lines: int = 3
) -> Measurement:
    """``per_order.<name>.*`` and ``usd_per_million_orders.<name>.*`` of orders that come in at a steady rate.

    Their lines are spread over 1,000 SKUs. Batches are gathered for their windows in full, as on AWS.
    ``view_lag_ms.p95`` is how far the views of orders were behind, and ``outcome_ms.*`` how long orders took from their
    submission to their outcome. ``emulator_ms`` is what the emulator worked for each.
    """
    pipeline.emulator.scale_waits(1.0)
    orders = _Orders(pipeline)
    with counting(pipeline) as counts:
        orders.stock()
        orders.confirmed(orders.submit(f"{name}-warm-up", int(_WARM_UP_SECONDS * per_second), per_second, lines))
        counts.quiet()
        counts.begin()
        worked_before = _worked_ms(pipeline)
        orders.confirmed(orders.submit(name, number, per_second, lines))
        counts.quiet()
        timed = Timed(orders.outcome_ms(), (_worked_ms(pipeline) - worked_before) / number)
        run = Run(number, per_second, lines, *counts.counts(number), timed)
        lag = percentile(sorted(counts.lags_ms("order_view")), 0.95)
        times = {f"outcome_ms.{share}": value for share, value in timed.outcome_ms.items()}
        more = {**times, "view_lag_ms.p95": lag, "emulator_ms": timed.emulator_ms}
        return _figures(name, run.per_order) | {f"per_order.{name}.{key}": value for key, value in more.items()}, run


def measure_many_lines(pipeline: Pipeline) -> Measurement:
    """The same of orders of 21 lines, as the real ones have."""
    return measure_at_load(pipeline, name=MANY_LINES, number=200, per_second=2.0, lines=21)


def _worked_ms(pipeline: Pipeline) -> float:
    """For how many milliseconds of a processor the emulator has worked."""
    fields = Path(f"/proc/{pipeline.emulator.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return 1000 * (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / os.sysconf("SC_CLK_TCK")


def keep(runs: Mapping[str, Run], idle: Mapping[str, float]) -> None:
    """Write the file from which `pipeline plan` calculates, and the tables of docs/scaling.md, which follow from it.

    ``idle``: what an idle environment costs, by service.
    """
    how = (
        "make bench: on the emulator, one machine of two processors, the express lane. An order alone, 1,000 orders of "
        "3 lines at a steady 8 a second, and 200 of 21 lines at 2 a second, over 1,000 SKUs, each of a new customer."
    )
    write(Measured(datetime.now(UTC).date().isoformat(), how, runs, idle))
    document.write()


def _figures(name: str, counts: Mapping[str, float]) -> dict[str, float]:
    usd = priced({**counts, "api_requests": 1})
    sizes = {"log_bytes": counts["log_gigabytes"] * GIGABYTE}
    units = {"write_units.total": sum(number for key, number in counts.items() if key.startswith("write_units"))}
    known = {key: number for key, number in counts.items() if not key.endswith("gigabytes")} | units
    return {f"per_order.{name}.{key}": number for key, number in (known | sizes).items()} | {
        f"usd_per_million_orders.{name}.{service}": price * _MILLION for service, price in usd.items()
    }


class _Orders:
    """Orders of a publisher, and what becomes of them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._events = pipeline.client("events")
        self._dynamodb = pipeline.client("dynamodb")
        self._bus = pipeline.intake_bus
        self._table = pipeline.table_name
        self._submitted: dict[str, float] = {}

    def stock(self) -> None:
        """Put plenty of each SKU on the shelf."""
        skus = [_sku(number) for number in range(_SKUS)]
        for start in range(0, _SKUS, 90):
            lines = [{"sku": sku, "quantity": 100_000} for sku in skus[start : start + 90]]
            self._publish("StockDelivered", {"delivery_id": f"bench-{start}", "lines": lines})
        for sku in skus[::90]:
            _until(partial(self._has, f"level#{sku}", "level"), f"{sku} is on the shelf")

    def submit(self, name: str, orders: int, per_second: float, lines: int) -> str:
        """Publish orders at a steady rate; returns the own id of the last."""
        self._submitted.clear()
        began = time.monotonic()
        for number in range(orders):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            self._submitted[f"{name}-{number}"] = time.time()
            self._publish("OrderSubmitted", _order(f"{name}-{number}", number, lines))
        return f"{name}-{orders - 1}"

    def confirmed(self, own_id: str) -> None:
        """Wait until the view of an order is confirmed and its customer told."""
        order_id = of_shop(DEMO_SHOP, own_id)

        def shown() -> bool:
            view = self._item(f"view#order#{order_id}", "1")
            return view is not None and view["status"]["S"] == "CONFIRMED"

        _until(shown, f"{order_id} is confirmed")
        _until(partial(self._has, f"notification#{order_id}", "event#0000000002"), f"{order_id}: notified")

    def outcome_ms(self) -> dict[str, float]:
        """How long the orders last submitted took to their confirmation, by the log: ``p50``, ``p95`` and ``p99``."""
        took = sorted(1000 * (self._confirmed_at(own_id) - at) for own_id, at in self._submitted.items())
        return {f"p{share}": percentile(took, share / 100) for share in SHARES}

    def _confirmed_at(self, own_id: str) -> float:
        found: list[dict[str, Any]] = []

        def confirmed() -> bool:
            found.extend(filter(None, [self._item(f"order#{of_shop(DEMO_SHOP, own_id)}", "event#0000000002")]))
            return bool(found)

        _until(confirmed, f"{own_id} is confirmed")
        return datetime.fromisoformat(json.loads(found[0]["metadata"]["S"])["occurred_at"]).timestamp()

    def _publish(self, detail_type: str, detail: dict[str, Any]) -> None:
        entry = {"Source": "bench", "DetailType": detail_type, "Detail": json.dumps(detail), "EventBusName": self._bus}
        answer = self._events.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"{detail_type} was not taken: {answer['Entries']}")

    def _has(self, pk: str, sk: str) -> bool:
        return self._item(pk, sk) is not None

    def _item(self, pk: str, sk: str) -> dict[str, Any] | None:
        key = {"PK": {"S": pk}, "SK": {"S": sk}}
        item: dict[str, Any] | None = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
            "Item"
        )
        return item


def _sku(number: int) -> str:
    return f"bench-{number % _SKUS}"


def _order(own_id: str, number: int, lines: int) -> dict[str, Any]:
    # 7919 is prime: orders one after the other have no SKU in common.
    skus = [_sku(number * 7919 + 331 * line) for line in range(lines)]
    return {
        "order_id": own_id,
        "currency": "GBP",
        "lines": [{"sku": sku, "quantity": 6, "unit_price": 255, "description": "WHITE METAL LANTERN"} for sku in skus],
        "customer": {"customer_id": own_id, "email": "jo.smith@example.com"},
        "shipping_address": {
            "name": "Jo Smith",
            "street": "1 High Street",
            "city": "London",
            "postal_code": "N1 1AA",
            "country": "GB",
        },
        "payment_token": "tok_approve",
    }


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_PATIENCE_SECONDS:g} s until {what}")
        time.sleep(0.05)


if __name__ == "__main__":
    figures: dict[str, float] = {}
    runs: dict[str, Run] = {}
    for name, measure in ((ALONE, measure_alone), (AT_LOAD, measure_at_load), (MANY_LINES, measure_many_lines)):
        with run_pipeline() as deployed:
            more, runs[name] = measure(deployed)
        figures |= more
    keep(runs, idle.costs("small"))
    print(json.dumps(figures, indent=2))
