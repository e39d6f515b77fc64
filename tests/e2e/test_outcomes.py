"""Generated orders through the deployed pipeline: each ends as it is meant to, and what must hold does."""

import time
from collections.abc import Iterator, Mapping

import pytest

from events.integration import OrderCancellationRequested, ShipmentStatusReported
from events.publishing.publisher import Publisher
from events.shops import own_id
from handlers.operations.audit import CHECKS
from handlers.operations.audit.published_submission import distinct
from handlers.operations.audit.run import Run
from infra.local.pipeline import Pipeline, pipeline
from infra.local.runner.audit_input import read_emails, read_table
from infra.local.runner.generator import generate
from infra.local.runner.order_run import Report, run
from infra.local.runner.stock_deliveries import stock_deliveries

WAIT_SCALE = 0.05
SECONDS_TO_END = 60.0


class Silent:
    def stage_started(self, stage: str) -> None: ...

    def progressed(self, progress: object) -> None: ...


@pytest.fixture(scope="module")
def deployed() -> Iterator[Pipeline]:
    with pipeline() as running:
        running.emulator.scale_waits(WAIT_SCALE)
        yield running


@pytest.fixture(scope="module")
def report(deployed: Pipeline) -> Report:
    generated = generate(60, 11)
    return run(deployed, generated.submissions, list(stock_deliveries("e2e", generated.stock)), Silent())


def test_generated_orders_end_as_they_are_meant_to(report: Report) -> None:
    results = report.progress.results
    ended = {each.key: results[each.key].reason or results[each.key].status for each in report.progress.submissions}
    ended |= {key: results[key].status for key in ended if results[key].status in {"REJECTED", "DEAD_LETTER"}}
    assert ended == {each.key: each.expected for each in distinct(report.run.submissions)}


def test_what_must_hold_does(report: Report) -> None:
    assert [str(finding) for finding in report.findings] == []
    assert len(report.latencies) == sum(each.order_id is not None for each in report.progress.submissions)


def publish(on: Pipeline, event: OrderCancellationRequested | ShipmentStatusReported) -> None:
    """Publish an integration event."""
    Publisher(on.client("events"), on.intake_bus, "e2e").publish([event])


def until(on: Pipeline, expected: Mapping[str, Mapping[str, str]]) -> Run:
    """Wait until orders' views show what is expected and the audit is content; returns what was left then."""
    deadline = time.monotonic() + SECONDS_TO_END
    while True:
        left = Run(read_table(on), emails=read_emails(on))
        shown = {
            order_id: {name: left.table.views[order_id].get(name) for name in attributes}
            for order_id, attributes in expected.items()
        }
        # Nothing captures the bus any more, which invariant 2 is about.
        findings = [str(finding) for number, (_, check) in CHECKS.items() if number != 2 for finding in check(left)]
        if shown == expected and not findings:
            return left
        if time.monotonic() > deadline:
            raise AssertionError(f"{findings}, {shown}")
        time.sleep(0.1)


def test_a_confirmed_order_is_cancelled_until_it_is_dispatched(deployed: Pipeline, report: Report) -> None:
    before = report.run
    confirmed = [order_id for order_id in before.orders if before.is_confirmed(order_id)]
    paid = [order_id for order_id in confirmed if before.orders[order_id].total]
    cancelled, dispatched, delivered = paid[:3]
    for order_id, status in ((dispatched, "dispatched"), (delivered, "delivered")):
        publish(deployed, ShipmentStatusReported.model_validate({"order_id": order_id, "status": status}))
    until(deployed, {dispatched: {"stock": "shipped"}, delivered: {"stock": "shipped"}})

    for order_id in (cancelled, dispatched, delivered, cancelled):
        publish(deployed, OrderCancellationRequested(order_id=own_id(order_id), reason="changed my mind"))
    left = until(
        deployed,
        {
            cancelled: {
                **{"status": "CANCELLED", "reason": "CancellationRequested", "cancellation": "requested"},
                **{"payment": "refunded", "stock": "released", "shipment": "cancelled"},
            },
            dispatched: {"status": "CONFIRMED", "cancellation": "refused", "shipment": "dispatched"},
            delivered: {"status": "CONFIRMED", "cancellation": "refused", "shipment": "delivered"},
        },
    )

    refunded = before.orders[cancelled].total
    assert left.table.charges[cancelled]["refunded"] == refunded
    assert {each for each in left.orders if left.is_confirmed(each)} == {*confirmed} - {cancelled}
