"""A load: its shape, the growth of memory that it finds, and what it calls a failure. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed
from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.table import Table
from tests.builders.orders import placed
from tests.builders.recorded_events import START, record
from tests.load import memory, outcome, records, shape, verdict
from tests.load.memory import Growth, Resident
from tests.load.orders import LoadOrders
from tests.load.records import Sent, Tick
from tests.load.shape import Capacity, Course, Sample, plan
from tests.load.verdict import Measured


def driven(course: Course, per_second: float, *, stuck_in: str = "") -> Iterator[tuple[str, float]]:
    """The stages and rates of a course through a pipeline that ends so many orders a second, and none in one stage."""
    accepted = ended = 0.0
    for second in count():
        if not course.go_on(Sample(float(second), round(accepted), round(ended))):
            return
        yield course.stage, course.rate
        accepted += course.rate
        ended = min(accepted, ended + (0.0 if course.stage == stuck_in else per_second))


def test_the_ramp_finds_the_capacity_and_the_rest_takes_shares_of_it() -> None:
    course = Course(plan(600))
    seen = list(driven(course, per_second=10.0))

    assert course.capacity is not None
    assert course.capacity.per_second == pytest.approx(10.0, rel=0.05)
    assert not course.capacity.at_least
    found = course.capacity.per_second
    rates = dict(seen)
    assert list(rates) == [
        *("warm-up", "ramp", "recovery of the ramp", "steady", "spike", "recovery of the spike", "soak")
    ]
    assert (rates["steady"], rates["spike"], rates["soak"]) == (0.5 * found, 2 * found, 0.8 * found)
    seconds = {stage: sum(each == stage for each, _ in seen) for stage in rates}
    assert (seconds["steady"], seconds["spike"], seconds["soak"]) == (60, 20, 600)


def test_the_capacity_is_what_was_ended_before_it_fell_behind_and_ended_less() -> None:
    course = Course(plan(600))
    accepted = ended = 0.0
    for second in range(200):
        course.go_on(Sample(float(second), round(accepted), round(ended)))
        accepted += course.rate
        ended = min(accepted, ended + (12.0 if accepted - ended < 30 else 5.0))
    assert course.capacity is not None
    assert course.capacity.per_second == pytest.approx(12.0, rel=0.1)


def test_a_recovery_ends_once_the_backlog_is_gone_or_its_time_is_over() -> None:
    seen = [stage for stage, _ in driven(Course(plan(600)), per_second=10.0)]
    assert 1 < seen.count("recovery of the spike") < 60
    stuck = [stage for stage, _ in driven(Course(plan(600)), per_second=10.0, stuck_in="recovery of the spike")]
    assert stuck.count("recovery of the spike") == 120


def test_a_pipeline_that_never_falls_behind_has_at_least_the_highest_rate() -> None:
    course = Course(plan(600))
    list(driven(course, per_second=1_000.0))
    assert course.capacity is not None
    assert course.capacity.at_least
    assert course.capacity.per_second == pytest.approx(40, rel=0.05)


def test_a_short_soak_shortens_the_other_stages_too() -> None:
    short = plan(60)
    assert {stage.name: stage.seconds for stage in short.stages if not stage.until_recovered} == {
        "steady": 6.0,
        "spike": 5.0,
        "soak": 60,
    }
    assert (short.warm_up_seconds, short.step_seconds) == (10.0, 5.0)


def residents(kilobytes: Iterator[float] | list[float], process: int = 1) -> list[Resident]:
    return [Resident(10.0 * n, "outbox", process, round(held)) for n, held in enumerate(kilobytes)]


def test_memory_that_grows_with_each_call_has_that_slope() -> None:
    grown = memory.growth(residents([50_000 + 20 * n for n in range(61)]), calls=6_000)
    assert grown is not None
    assert grown.slope == pytest.approx(200, rel=0.02)
    assert grown.least > 150


def test_memory_that_does_not_grow_is_flat() -> None:
    grown = memory.growth(residents([50_000.0] * 61), calls=6_000)
    assert grown == Growth(1, 6_000, 50_000 / 1024, 0.0, 0.0, 0.0)


def test_one_step_of_memory_is_not_taken_for_a_slope_that_is_certain() -> None:
    grown = memory.growth(residents([50_000.0] * 30 + [51_000.0] * 31), calls=6_000)
    assert grown is not None
    assert grown.least < 0 < grown.slope


def test_of_what_was_not_called_or_not_seen_for_long_no_growth_is_said() -> None:
    assert memory.growth(residents([50_000.0] * 61), calls=0) is None
    assert memory.growth(residents([50_000.0] * 3), calls=100) is None
    assert memory.together({}) is None


def test_what_a_process_loads_that_begins_meanwhile_is_no_growth() -> None:
    late = [Resident(10.0 * n, "outbox", 2, 50_000 if n > 41 else 30_000) for n in range(40, 61)]
    grown = memory.growth(sorted([*residents([50_000.0] * 61), *late]), calls=6_000)
    assert grown is not None
    assert (grown.processes, grown.slope) == (2, 0.0)


def test_functions_together_are_weighted_by_their_calls() -> None:
    rare, often = Growth(1, 100, 50.0, 1_000.0, 0.0, 2_000.0), Growth(3, 9_900, 50.0, 0.0, -10.0, 10.0)
    together = memory.together({"rare": rare, "often": often})
    assert together is not None
    assert (together.processes, together.calls) == (4, 10_000)
    assert together.slope == pytest.approx(10.0)
    assert together.most == pytest.approx(10.0 + (10.0**2 + 9.9**2) ** 0.5)


def ticks(stage: str, first: float, backlog: int, *, rate: float = 8.0, seconds: int = 20) -> list[Tick]:
    base = round(first * 100)
    return [
        Tick(first + n, stage, rate, base + round(n * rate), base + round(n * rate) - backlog) for n in range(seconds)
    ]


def sent(stage: str, answer: str = "") -> Sent:
    return Sent(1, "HTTP", stage, 0.0, 12.0, answer)


def all_well(*, soak: int = 5, soak_seconds: int = 301, recovery_seconds: int = 20) -> Measured:
    seconds = [
        *ticks(shape.STEADY, 0.0, 5),
        *ticks(shape.SPIKE, 100.0, 90),
        *ticks(shape.RECOVERY_OF_SPIKE, 200.0, 5, seconds=recovery_seconds),
        *ticks(shape.SOAK, 400.0, soak, seconds=soak_seconds),
    ]
    figures = verdict.stages(seconds, [], {})
    return Measured(figures, Capacity(10.0, at_least=False), 1.0, {}, [], [], [], {"outbox": flat()}, 150.0)


def flat() -> Growth:
    return Growth(1, 6_000, 48.0, 3.0, -5.0, 11.0)


def failures(measured: Measured, *orders: Sent) -> list[str]:
    return list(verdict.failures(measured, orders))


def test_what_went_well_has_no_failure() -> None:
    assert failures(all_well(), sent(shape.SOAK)) == []


def test_a_stage_has_its_rates_its_backlog_and_its_times() -> None:
    orders = [Sent(n, "HTTP", "soak", 0.0, float(n), "" if n else "503") for n in range(101)]
    [soak] = verdict.stages(ticks("soak", 0.0, 7), orders, {1: 0.5, 2: 1.5})
    assert (soak.seconds, soak.sent, soak.accepted_per_second) == (19, 101, 8.0)
    assert (soak.highest_backlog, soak.last_backlog) == (7, 7)
    assert soak.answered_ms["HTTP"] == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert soak.took_seconds["p50"] == 0.5


def with_(**changed: object) -> Measured:
    return Measured(**{**vars(all_well()), **changed})


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (with_(capacity=None), "the capacity was not found: the ramp did not end"),
        (with_(stages=all_well().stages[:-1]), "there was no soak"),
        (all_well(soak=90), "soak: the backlog grew to 90 orders, 8 s of work"),
        (all_well(recovery_seconds=121), "the backlog of the spike was not gone within 120 s: 5 orders"),
        (with_(waiting={"OrderViewQueue": 3}), "a backlog was left at the end: 3 in OrderViewQueue"),
        (with_(waiting=None), "what became of the orders was not read"),
        (with_(lost=["order a"]), "1 accepted orders are lost: order a"),
        (with_(different=["order a"]), "1 orders ended otherwise than they had to: order a"),
        (
            with_(findings=[f"stock {n}" for n in range(7)]),
            "7 findings: the invariants do not hold: stock 0; stock 1; stock 2; stock 3; stock 4; and 2 more",
        ),
        (
            with_(memory={"sweep": Growth(1, 10, 48.0, 900.0, -8_200.0, 10_000.0)}),
            "memory of all functions together is not shown to be flat: "
            "+900.0 KB in 1,000 calls (-8200.0 to +10000.0 with 95 % confidence)",
        ),
        (
            with_(memory={"outbox": flat(), "sweep": Growth(1, 1_000, 48.0, 600.0, 500.0, 700.0)}),
            "memory of sweep is not flat: +600.0 KB in 1,000 calls (+500.0 to +700.0 with 95 % confidence)",
        ),
    ],
)
def test_each_condition_that_is_not_met_has_a_sentence(measured: Measured, said: str) -> None:
    assert failures(measured) == [said]


def test_a_short_soak_says_nothing_of_memory() -> None:
    grown = {"outbox": Growth(1, 1_000, 48.0, 900.0, 800.0, 1_000.0)}
    assert len(failures(with_(memory=grown))) == 2
    assert failures(with_(memory=grown, stages=all_well(soak_seconds=60).stages)) == []


def test_an_order_that_is_not_accepted_counts_where_there_is_room_for_it() -> None:
    assert failures(all_well(), sent(shape.SPIKE, "429: too many"), sent(shape.SOAK, records.CUT_OFF)) == []
    [said] = failures(all_well(), sent(shape.SOAK, "429: too many"))
    assert said == "soak: 1 orders were not accepted, the first by HTTP: 429: too many"


def test_a_soak_that_sends_less_than_it_has_to_proves_nothing() -> None:
    slow = [*ticks(shape.SOAK, 0.0, 5, rate=4.0)]
    figures = verdict.stages([Tick(t.at, t.stage, 8.0, t.accepted, t.ended) for t in slow], [], {})
    [said] = failures(with_(stages=[*all_well().stages[:-1], *figures]))
    assert said == "soak: 4.0 orders a second came in, of 8.0 that were to be sent"


def log(*events: DomainEvent, order_id: str) -> dict[tuple[str, int], Recorded]:
    stream = f"order#{order_id}"
    return {(stream, version): record(event, stream, version) for version, event in enumerate(events, start=1)}


def test_accepted_orders_without_exactly_one_outcome_are_lost_and_those_with_another_one_are_different() -> None:
    orders = LoadOrders("load-1", "demo", None)
    ids = {number: f"demo.load-1-{number}" for number in (1, 2, 3, 4, 7)}
    started, cancelled = OrderCancellationStarted, OrderCancelled
    left = Evidence(
        Table(
            {
                **log(placed(ids[1]), OrderConfirmed(order_id=ids[1]), order_id=ids[1]),
                **log(placed(ids[2]), order_id=ids[2]),
                **log(
                    placed(ids[7]),
                    started(order_id=ids[7], reason="OutOfStock"),
                    cancelled(order_id=ids[7], reason="OutOfStock"),
                    order_id=ids[7],
                ),
            }
        )
    )
    at = START.timestamp()
    answers = {1: "", 2: "", 3: "", 4: "503: busy", 7: ""}
    sent = [Sent(number, "HTTP", "soak", at, 5.0, answer) for number, answer in answers.items()]

    lost, different, took = outcome.became(orders, sent, left)

    assert lost == [f"order {ids[number]}, accepted by HTTP, has 0 outcomes" for number in (2, 3)]
    assert different == [f"order {ids[7]} had to end as PaymentDeclined, and ended as OutOfStock"]
    assert took == {1: pytest.approx(2.0), 7: pytest.approx(3.0)}


def test_what_one_process_writes_the_other_reads_but_for_a_line_that_is_being_written(tmp_path: Path) -> None:
    writer = records.Writer(tmp_path)
    order, tick = Sent(7, "HTTP", "soak", 1.5, 12.0, "429: one,\n two"), Tick(1.5, "soak", 8.0, 3, 2)
    assert (records.read_sent(tmp_path), records.read_ticks(tmp_path)) == ([], [])
    assert records.read_capacity(tmp_path) is None
    writer.sent(order)
    writer.tick(tick)
    writer.capacity(Capacity(9.5, at_least=True))
    with (tmp_path / "orders.csv").open("a") as file:
        file.write("8,HT")
    assert records.read_sent(tmp_path) == [order]
    assert records.read_ticks(tmp_path) == [tick]
    assert records.read_capacity(tmp_path) == Capacity(9.5, at_least=True)


def test_orders_are_valid_the_same_each_time_and_end_in_all_ways() -> None:
    orders = LoadOrders("load-1", "demo", None)
    all_of_them = [orders.submission(number) for number in range(1, 101)]
    assert all_of_them == [orders.submission(number) for number in range(1, 101)]
    assert all(each.order is not None for each in all_of_them)
    assert {each.expected for each in all_of_them} == {"CONFIRMED", "PaymentDeclined", "ShipmentRejected"}
    assert "email" not in all_of_them[0].detail["customer"]
    delivered = {line["sku"] for delivery in orders.deliveries for line in delivery["lines"]}
    assert {line["sku"] for each in all_of_them for line in each.lines} <= delivered
