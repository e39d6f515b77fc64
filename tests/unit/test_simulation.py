"""`pipeline plan --simulate`: what always holds of simulated orders, and of what they go through."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cli.plot import bars
from infra.planning.measured import AT_LOAD, Timed, measured
from infra.planning.order import Order
from infra.planning.simulation.arrivals import at_random, evenly, under_way
from infra.planning.simulation.bucket import Bucket
from infra.planning.simulation.calibration import NotTimed, calibrated, predicted
from infra.planning.simulation.feeds import Queue, Stream
from infra.planning.simulation.machine import Emulated, on_aws, on_one_machine
from infra.planning.simulation.result import Result
from infra.planning.simulation.scenarios import SCENARIOS, Scenario
from infra.planning.simulation.simulation import simulate
from infra.planning.simulation.workflow import workflow
from infra.planning.stages import Stage, stages
from tests.builders.commands import run_command

ORDER = Order()
FEW = settings(max_examples=25, deadline=None)
EMULATED = Emulated(request_ms=1.0, hop_ms=15.0)


@cache
def result(scenario: Scenario, per_second: float = 4.0, seed: int = 1, order: Order = ORDER) -> Result:
    """What a scenario comes to on AWS, prepared for four orders a second."""
    machine = on_aws(order, prepared_for=4.0)
    return simulate(order, machine, scenario, at_random(scenario, per_second), per_second=per_second, seed=seed)


def peak(of: Result) -> int:
    return max(waiting for _, waiting in of.backlog())


# Laws


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order_has_one_outcome_and_nothing_is_left_waiting(name: str) -> None:
    found = result(SCENARIOS[name])
    assert found.submitted == len(found.seconds_to_outcome) > 0
    assert found.open == 0
    assert set(found.samples[-1].waiting.values()) == {0}


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_order_takes_at_least_what_its_tasks_take(name: str) -> None:
    tasks = sum(stage.records * stage.seconds.of(1) for stage in stages() if stage.source == "task")
    found = result(SCENARIOS[name]).seconds_to_outcome
    assert sum(found) / len(found) >= tasks


def test_the_same_seed_has_the_same_result_and_another_seed_another() -> None:
    throttled = SCENARIOS["throttled_gateway"]
    once = result(throttled)
    result.cache_clear()
    assert result(throttled) == once
    assert result(throttled, seed=2).seconds_to_outcome != once.seconds_to_outcome


def test_more_orders_have_no_smaller_backlog() -> None:
    peaks = [peak(result(SCENARIOS["flash_sale"], per_second)) for per_second in (1, 2, 4)]
    assert peaks == sorted(peaks)


def test_a_rush_makes_a_backlog_that_a_steady_rate_does_not() -> None:
    assert peak(result(SCENARIOS["flash_sale"])) > 5 * peak(result(SCENARIOS["steady"]))


def test_what_waits_for_a_stopped_consumer_is_gone_when_it_runs_again() -> None:
    stopped = result(SCENARIOS["stopped_consumer"])
    waiting = dict(stopped.backlog("outbox"))
    assert waiting[119] > 4 * 30
    assert waiting[150] < 20
    gone = stopped.gone_after("outbox")
    assert gone is not None
    assert 0 < gone < 30


def test_orders_that_a_throttled_gateway_refuses_are_handed_over_and_confirmed_later() -> None:
    throttled = result(SCENARIOS["throttled_gateway"])
    assert throttled.handed_over > 0
    assert throttled.cancelled == 0
    assert throttled.percentile(99) > 10 * result(SCENARIOS["steady"]).percentile(99)


def test_orders_are_cancelled_where_the_gateway_is_away_for_longer_than_the_saga_waits() -> None:
    away = replace(SCENARIOS["throttled_gateway"], until=180.0, seconds=120.0, gateway=0.01)
    found = result(away, 1.0)
    assert found.cancelled > 0
    assert found.open == 0


def test_orders_are_late_where_a_sku_in_demand_is_in_all_of_them() -> None:
    short = replace(SCENARIOS["flash_sale"], until=80.0, seconds=100.0)
    assert result(short, 4.0, 1, replace(ORDER, hot_sku=1.0)).handed_over > 0
    assert result(short).handed_over == 0


def test_the_saga_alone_takes_orders_to_their_outcome_too() -> None:
    found = result(SCENARIOS["steady"], 4.0, 1, replace(ORDER, lane="standard"))
    assert found.open == found.handed_over == 0


# What orders go through


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.floats(0.5, 50), st.floats(1, 20))
@FEW
def test_a_bucket_gives_no_more_than_its_burst_and_what_comes_in(
    gaps: list[float], per_second: float, burst: float
) -> None:
    bucket, now, served = Bucket(per_second, burst), 0.0, []
    for gap in gaps:
        now += gap
        wait = bucket.wait(now, 1)
        assert wait is not None
        served.append(now + wait)
    assert served == sorted(served)
    for first in range(len(served)):
        for last in range(first, len(served)):
            given_out = last - first + 1
            assert given_out <= burst + per_second * (served[last] - served[first]) + 1 + 1e-6


def test_a_bucket_gives_nothing_to_who_cannot_wait() -> None:
    bucket = Bucket(per_second=1, burst=1)
    assert bucket.wait(0, 1) == 0
    assert bucket.wait(0, 1, patience=0.5) is None
    assert bucket.wait(0, 1) == 1


class _Calls:
    """Calls that take two seconds each, and what they had."""

    def __init__(self, env: simpy.Environment) -> None:
        self.batches: list[list[int]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._env = env

    def __call__(self, stage: Stage, batch: list[int]) -> Generator[simpy.Event, Any, None]:
        self.batches.append(batch)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        yield self._env.timeout(2)
        self._at_once -= 1


@given(st.lists(st.floats(0, 2), max_size=200), st.integers(1, 10), st.integers(0, 5), st.integers(1, 4), st.booleans())
@FEW
def test_what_feeds_a_function_gives_it_each_record_once_within_its_limits(
    gaps: list[float], batch_size: int, window: int, at_once: int, streamed: bool
) -> None:
    env = simpy.Environment()
    function = replace(stages()[0], batch_size=batch_size, window_seconds=window, gatherers=at_once, at_once=at_once)
    calls = _Calls(env)
    feed: Queue[int] | Stream[int] = (
        Stream(env, function, calls, 0.25, Random(1)) if streamed else Queue(env, function, calls)
    )

    def putting() -> Generator[simpy.Event, Any, None]:
        for record, gap in enumerate(gaps):
            yield env.timeout(gap)
            feed.put(record)
            if record == 20:
                feed.stop()
        feed.resume()

    env.process(putting())
    env.run()
    assert sorted(record for batch in calls.batches for record in batch) == list(range(len(gaps)))
    assert all(len(batch) <= batch_size for batch in calls.batches)
    assert calls.most_at_once <= at_once
    assert feed.waiting == 0


def test_the_express_lane_retries_once_and_hands_over_and_the_saga_retries_for_a_minute() -> None:
    step = workflow("express").steps["AuthorizePayment"]
    retry = step.retry("PaymentGatewayUnreachable")
    assert retry is not None
    assert retry.most == 1
    after = workflow("express").after(step.caught("PaymentGatewayUnreachable"))
    assert after is not None
    assert after.function is None

    patient = workflow("standard").steps["AuthorizePayment"].retry("PaymentGatewayUnreachable")
    assert patient is not None
    assert [patient.wait(attempt, Random(1)) for attempt in range(patient.most)] == [2, 4, 8, 16, 32]


# One machine


def test_a_machine_does_no_more_than_its_processors_allow() -> None:
    busy = sum(stage.records * stage.processor_ms.per_record / 1000 for stage in stages())
    order = Order()
    found = simulate(order, on_one_machine(3, EMULATED), SCENARIOS["steady"], under_way(100, 24))
    assert found.open == 0
    assert found.orders_per_second < EMULATED.processors / busy


def test_a_machine_is_calibrated_so_that_the_run_comes_out_as_it_was() -> None:
    run = replace(measured().runs[AT_LOAD], orders=40)
    asked = replace(run, timed=Timed({"p50": 700.0}, emulator_ms=50.0))
    emulated = calibrated(asked)
    assert predicted(asked, emulated).percentile(50) == pytest.approx(0.7, rel=0.15)


def test_a_machine_cannot_be_calibrated_by_a_run_that_was_not_timed() -> None:
    with pytest.raises(NotTimed):
        calibrated(replace(measured().runs[AT_LOAD], timed=None))


def test_evenly_submitted_orders_are_as_many_as_asked_for() -> None:
    found = simulate(ORDER, on_one_machine(3, EMULATED), SCENARIOS["steady"], evenly(20, 5.0))
    assert found.submitted == 20


# The command


def test_the_command_says_how_long_orders_take_and_what_waits() -> None:
    said = run_command("plan", "--orders-per-second", "2", "--simulate", "stopped_consumer")
    assert "to the outcome: p50" in said.output
    assert "outbox\t" in said.output
    assert "█" in said.output


def test_the_command_says_all_of_it_as_json() -> None:
    said = run_command("plan", "--orders-per-second", "2", "--simulate", "steady", "--json")
    document = json.loads(said.output)
    assert (document["scenario"], document["orders_per_second"], document["prepared_for"]) == ("steady", 2, 2)
    assert document["open"] == 0
    assert document["seconds_to_outcome"].keys() == {"p50", "p95", "p99"}
    assert document["backlog"][-1]["orders"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--simulate", "earthquake"], "flash_sale"), (["--prepared-for", "100"], "--simulate")],
)
def test_what_no_simulation_can_be_made_of_is_refused(arguments: list[str], says: str) -> None:
    said = run_command("plan", "--orders-per-second", "2", *arguments)
    assert said.exit_code == 2
    assert says in said.stderr


@given(st.lists(st.integers(0, 1_000), max_size=300))
@FEW
def test_a_bar_is_there_where_something_is(values: list[int]) -> None:
    lines = bars(values, width=40, height=3)
    assert len(lines) == 3
    assert {len(line) for line in lines} == {min(40, len(values))}
    assert ("█" in lines[-1]) is (max(values, default=0) > 0)
