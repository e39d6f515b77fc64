"""Publishing, following and reporting a run, without a pipeline."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderCancelled, OrderConfirmed
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.published_submission import Submission
from handlers.operations.audit.run import DeadLetter, Run
from handlers.operations.audit.table import Table
from handlers.ordering.submission import Invalid, conflict, rejected
from infra.local.runner.display import summary
from infra.local.runner.order_run import Report, percentile
from infra.local.runner.run_progress import Progress, Result
from tests.builders.messages import from_bus
from tests.builders.orders import invalid, line, order, placed, valid
from tests.builders.recorded_events import START, record
from tests.builders.vault import KEY_OF_REJECTIONS

GOOD, BAD = Submission("demo", order("good")), Submission("demo", order("bad", line("A", 0)))
OTHER = Submission("demo", order("good", line("B")))
"""Another content of the same order."""
NAMELESS = Submission("demo", order("no id"))


def following(*submissions: Submission) -> Progress:
    return Progress(submissions, KEY_OF_REJECTIONS)


def rejection(refused: Invalid) -> Recorded:
    event = rejected("demo", refused, KEY_OF_REJECTIONS)
    return record(event, streams.rejection(event.order_id, event.content_hash), 1)


def events(*records: Recorded) -> list[Mapping[str, Any]]:
    return [json.loads(from_bus(each)) for each in records]


OUTCOMES: list[tuple[DomainEvent, Result]] = [
    (OrderConfirmed(order_id="demo.good"), Result("CONFIRMED", None, START + timedelta(seconds=2))),
    (
        OrderCancelled(order_id="demo.good", reason="OutOfStock"),
        Result("CANCELLED", "OutOfStock", START + timedelta(seconds=2)),
    ),
]


@pytest.mark.parametrize(("event", "result"), OUTCOMES)
@pytest.mark.parametrize("backwards", [False, True])
def test_an_order_has_ended_once_its_outcome_is_there_whatever_comes_first(
    event: DomainEvent, result: Result, backwards: bool
) -> None:
    progress = following(GOOD, GOOD)
    received = events(record(placed("demo.good"), "order#demo.good", 1), record(event, "order#demo.good", 2))
    assert progress.open == [GOOD]
    for each in reversed(received) if backwards else received:
        assert progress.add_events([each])
        assert progress.open == ([GOOD] if each["detail-type"] == "OrderPlaced" and not backwards else [])
    assert progress.results == {GOOD.key: result}
    assert not progress.add_events(received), "known events are nothing new"


CONFLICT = rejection(conflict(valid(OTHER.detail), erased=False))
CONFIRMED = record(OrderConfirmed(order_id="demo.good"), "order#demo.good", 2)


@pytest.mark.parametrize("received", [[CONFLICT, CONFIRMED], [CONFIRMED, CONFLICT]])
def test_of_two_contents_of_an_order_the_one_that_was_not_rejected_has_its_outcome(received: list[Recorded]) -> None:
    """No event says which content was placed."""
    progress = following(GOOD, OTHER)
    first, second = events(*received)
    progress.add_events([first])
    assert progress.open == ([GOOD] if received[0] is CONFLICT else [GOOD, OTHER])
    progress.add_events([second])
    assert {key: result.status for key, result in progress.results.items()} == {
        GOOD.key: "CONFIRMED",
        OTHER.key: "REJECTED",
    }


def test_an_invalid_submission_of_an_id_has_no_part_in_its_outcome() -> None:
    wrong = Submission("demo", order("good", line("A", 0)))
    progress = following(GOOD, wrong)
    progress.add_events(events(CONFIRMED))
    assert (list(progress.results), progress.open) == ([GOOD.key], [wrong])


def test_an_order_that_is_cancelled_after_it_was_confirmed_ended_as_cancelled() -> None:
    progress = following(GOOD)
    cancelled = OrderCancelled(order_id="demo.good", reason="CancellationRequested")
    progress.add_events(events(CONFIRMED, record(cancelled, "order#demo.good", 4)))
    assert progress.results[GOOD.key] == Result("CANCELLED", "CancellationRequested", START + timedelta(seconds=4))


def test_what_others_submit_meanwhile_is_no_part_of_the_run() -> None:
    progress = following(GOOD)
    of_nobody, of_good = rejection(invalid(BAD.detail)), rejection(conflict(valid(OTHER.detail), erased=False))
    assert progress.add_events(events(of_nobody, of_good, record(OrderConfirmed(order_id="demo.x"), "order#demo.x", 2)))
    assert (progress.results, progress.open) == ({}, [GOOD])


def test_rejections_and_dead_letters_end_submissions() -> None:
    progress = following(BAD, NAMELESS)
    progress.add_events(events(rejection(invalid(BAD.detail))))
    progress.add_dead_letters([DeadLetter("intake", None, "not JSON"), DeadLetter("intake", NAMELESS.detail, "no id")])
    assert [progress.results[each.key].reason for each in (BAD, NAMELESS)] == [
        "lines.n.quantity: Input should be greater than 0",
        "no id",
    ]


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.75, 3), (0.95, 4), (0.01, 1), (1.0, 4)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value


def report(*findings: Finding) -> Report:
    progress = following(GOOD, BAD, GOOD)
    progress.add_events(
        events(
            record(placed("demo.good"), "order#demo.good", 1),
            record(OrderConfirmed(order_id="demo.good"), "order#demo.good", 2),
        )
    )
    log = {("order#demo.good", 1): record(placed("demo.good"), "order#demo.good", 1)}
    log["order#demo.good", 2] = record(OrderConfirmed(order_id="demo.good"), "order#demo.good", 2)
    run = Run(Table(log=log, charges={"demo.good": {"captured": 100, "currency": "GBP"}}))
    return Report(run, findings, progress, dict.fromkeys((GOOD.key, BAD.key), START), sent=3)


def test_the_summary_says_what_became_of_everything() -> None:
    assert list(summary(report(Finding(2, "order demo.bad", "is gone")))) == [
        "2 submissions, 1 of them sent twice",
        "     1 confirmed",
        "     0 cancelled",
        "     0 rejected",
        "     0 dead letters",
        "     1 without end: demo.bad",
        "lines      2 submitted: 1 in orders placed, 0 in rejected, 0 in dead letters",
        "money      GBP 1.00 confirmed, GBP 1.00 in the gateway's books",
        "latency    p50 2.00 s   p95 2.00 s   p99 2.00 s   (from publishing a submission to the event that ended it)",
        "throughput 0.5 orders a second (1 in 2.0 s)",
        "invariant 1 holds: views equal the log",
        "invariant 2 does NOT hold: nothing is lost",
        "invariant 3 holds: effects happened once",
        "invariant 5 holds: money and stock balance",
        "invariant 6 holds: one outcome per order",
    ]


def test_the_summary_says_what_was_compared_with_a_teams_own_definition() -> None:
    run = Run(Table(counters={"stock_view": [], "our_stock": []}))
    *_, last = summary(Report(run, (), following(), {}, sent=0))
    assert last == "our_stock: its counters were compared with the projection's own definition"


def test_a_run_in_which_nothing_ended_has_no_latency() -> None:
    nothing = Report(Run(Table()), (), following(GOOD), {GOOD.key: datetime.now(UTC)}, sent=1)
    assert (nothing.latencies, nothing.seconds, nothing.orders_per_second) == ([], 0.0, 0.0)
    assert not any(text.startswith(("latency", "throughput")) for text in summary(nothing))
