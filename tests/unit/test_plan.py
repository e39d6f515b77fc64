"""`pipeline plan`: what orders were measured to cause, and what follows from it for a rate of them."""

from __future__ import annotations

import json
from itertools import pairwise
from math import inf, isclose

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.operations.preflight import quotas as preflight
from infra.function_spec import Schedule, Subscription, TableChanges
from infra.functions import FUNCTIONS
from infra.planning import document
from infra.planning.bill import bill, counts
from infra.planning.fitting import fitted
from infra.planning.limits import Limit, limits, units
from infra.planning.measured import ALONE, AT_LOAD, MANY_LINES, measured
from infra.planning.order import Order
from infra.planning.plan import plan
from infra.planning.quotas import known
from infra.planning.stages import STREAM_SHARDS, stages
from tests.builders.commands import run_command

RATES = st.floats(0.01, 50_000)
ORDERS = st.builds(
    Order,
    lines=st.integers(1, 99),
    skus=st.integers(100, 1_000_000),
    hot_sku=st.floats(0, 1),
    region=st.sampled_from(known().regions),
    lane=st.sampled_from(["express", "standard"]),
)
NEARLY = 1 + 1e-6
FEW = settings(max_examples=25, deadline=None)
BY_THE_CLOCK = {spec.key for spec in FUNCTIONS if isinstance(spec.trigger, Schedule)}


# What was measured


def test_the_stages_are_the_functions_that_an_order_was_seen_to_call() -> None:
    """Whoever adds a function to an order's way measures anew."""
    for run in measured().runs.values():
        assert {stage.function for stage in stages(run.lines)} == run.functions.keys() - BY_THE_CLOCK


def test_a_stage_has_as_many_records_as_were_counted() -> None:
    for name in (AT_LOAD, MANY_LINES):
        run = measured().runs[name]
        for stage in stages(run.lines):
            assert stage.records == pytest.approx(run.functions[stage.function].records, rel=0.02), stage.function


def test_a_stage_is_fed_as_its_function_is_described() -> None:
    specs = {spec.key: spec.trigger for spec in FUNCTIONS}
    for stage in stages():
        match specs[stage.function]:
            case Subscription(batch_size=size, batching_window=window, max_concurrency=most):
                assert (stage.source, stage.batch_size, stage.window_seconds, stage.at_once) == (
                    *("queue", size, window, most),
                )
            case TableChanges(batch_size=size, batching_window=window, parallelization_factor=factor):
                assert (stage.source, stage.batch_size, stage.window_seconds) == ("stream", size, window)
                assert stage.at_once == STREAM_SHARDS * factor
            case _:
                assert (stage.source, stage.batch_size, stage.at_once) == ("task", 1, None)


@pytest.mark.parametrize("name", [AT_LOAD, MANY_LINES])
def test_what_a_plan_calculates_with_comes_to_what_was_measured(name: str) -> None:
    run = measured().runs[name]
    written = worked = 0.0
    for stage in stages(run.lines):
        seen = run.functions[stage.function]
        batch = seen.records / seen.calls
        worked += seen.calls * stage.processor_ms.of(batch)
        written += seen.calls * sum(cost.of(batch) for cost in stage.write_units.values())
    functions = [counts for key, counts in run.functions.items() if key not in BY_THE_CLOCK]
    assert worked == pytest.approx(sum(each.processor_ms for each in functions), rel=0.15)
    assert written == pytest.approx(sum(sum(each.writes.values()) for each in functions), rel=0.05)
    in_all = sum(number for key, number in run.per_order.items() if key.startswith("write_units"))
    assert written == pytest.approx(in_all, rel=0.05)


def test_every_run_is_there_with_its_date() -> None:
    assert measured().runs.keys() == {ALONE, AT_LOAD, MANY_LINES}
    assert measured().date
    assert measured().how


@given(
    st.lists(st.floats(0, 100), min_size=3, max_size=3),
    st.lists(st.tuples(*[st.floats(0.01, 1_000)] * 3), min_size=1, max_size=4),
)
def test_factors_that_nothing_contradicts_are_found_or_others_that_do_as_well(
    factors: list[float], rows: list[tuple[float, float, float]]
) -> None:
    def total(row: tuple[float, ...], by: list[float]) -> float:
        return sum(number * factor for number, factor in zip(row, by, strict=True))

    found = fitted([(row, total(row, factors)) for row in rows])
    assert min(found) >= 0
    for row in rows:
        assert total(row, found) == pytest.approx(total(row, factors), rel=0.02, abs=1e-6)


def test_factors_are_never_negative_however_little_the_rows_fit() -> None:
    assert fitted([((1.0, 1.0), 1.0), ((1.0, 10.0), 0.5)]) == pytest.approx([0.4, 0.0], abs=0.4)
    assert fitted([((1.0,), 0.0), ((2.0,), 0.0)]) == [0.0]


# Laws


@given(ORDERS, RATES, RATES)
@example(Order(), 100.0, 101.0)
def test_more_orders_cost_more_and_need_more_units(order: Order, one: float, other: float) -> None:
    fewer, more = sorted((one, other))
    ways = stages(order.lines)
    assert bill(order, ways, fewer).total <= bill(order, ways, more).total * NEARLY
    for vault in (False, True):
        written = units(ways, vault=vault)
        assert written(fewer) <= written(more) * NEARLY


@given(ORDERS, RATES)
def test_what_is_counted_is_never_negative(order: Order, rate: float) -> None:
    assert min(counts(order, stages(order.lines), rate).values()) >= 0


@given(st.integers(1, 98), RATES)
def test_more_lines_cost_no_less(lines: int, rate: float) -> None:
    few, many = (bill(Order(lines=each), stages(each), rate).total for each in (lines, lines + 1))
    assert few <= many * NEARLY


@FEW
@given(ORDERS, RATES, RATES)
def test_which_limit_binds_first_and_at_which_rate_does_not_depend_on_the_rate(
    order: Order, one: float, other: float
) -> None:
    first, second = plan(order, one).first, plan(order, other).first
    assert (first.name, first.binds_at) == (second.name, second.binds_at)


@FEW
@given(ORDERS)
def test_at_the_rate_at_which_a_limit_binds_it_is_the_one_that_a_plan_names(order: Order) -> None:
    first = plan(order, 1).first
    assert plan(order, first.binds_at).exceeded == []
    beyond = plan(order, first.binds_at * NEARLY)
    assert first.name == beyond.exceeded[0].name
    assert all(isclose(limit.binds_at, first.binds_at, rel_tol=1e-5) for limit in beyond.exceeded)
    assert beyond.changes_table(first.remedy).rows[0] == (first.change(first.binds_at * NEARLY), first.name)


@FEW
@given(ORDERS, RATES)
def test_a_limit_that_is_exceeded_is_one_of_which_more_is_needed_than_there_is(order: Order, rate: float) -> None:
    made = plan(order, rate)
    for limit in made.limits:
        if limit in made.exceeded:
            assert limit.demand(rate) >= limit.there_is / NEARLY
        elif limit.binds_at < inf:
            assert limit.demand(limit.binds_at) <= limit.there_is * NEARLY


@FEW
@given(RATES, RATES)
def test_batches_grow_and_calls_at_once_do_not_fall(one: float, other: float) -> None:
    fewer, more = sorted((one, other))
    for stage in stages():
        assert 1 <= stage.batch(fewer) <= stage.batch(more) * NEARLY
        assert stage.batch(more) <= stage.batch_size
        assert stage.busy(fewer) <= stage.busy(more) * NEARLY


# Single limits


def of(order: Order, name: str) -> Limit:
    [found] = (limit for limit in limits(order, stages(order.lines)) if limit.name == name)
    return found


def test_a_sku_in_every_order_allows_the_transactions_of_one_item() -> None:
    level = "a SKU's level: transactions a second"
    assert of(Order(hot_sku=1), level).binds_at == pytest.approx(50)
    assert of(Order(hot_sku=0.05), level).binds_at == pytest.approx(1_000)
    # Where all sell alike, an order of three lines has one of 100 SKUs in three cases of 100.
    assert of(Order(hot_sku=0, skus=100), level).binds_at == pytest.approx(50 / 0.03)


def test_a_smaller_region_invokes_fewer_targets() -> None:
    name = known().quotas["target_invocations"].name
    large, middle, small = (
        of(Order(region=each), name).binds_at for each in ("us-east-1", "eu-central-1", "sa-east-1")
    )
    assert large > middle > small


def test_the_express_lane_starts_few_standard_executions() -> None:
    name = known().quotas["state_transitions"].name
    assert of(Order(lane="express"), name).binds_at > 5 * of(Order(lane="standard"), name).binds_at


# Quotas


def test_the_quotas_that_preflight_asks_for_have_the_same_codes() -> None:
    asked = {quota.code: quota.service for quota in vars(preflight).values() if isinstance(quota, preflight.Quota)}
    ours = {quota.code: quota.service for quota in known().quotas.values() if quota.code in asked}
    assert len(ours) >= 8
    assert ours.items() <= asked.items()


def test_every_quota_says_where_it_is_from_and_bounds_something() -> None:
    used = {limit.quota for limit in limits(Order(), stages())}
    assert known().quotas.keys() - used == {"invocations_per_concurrency"}
    for quota in known().quotas.values():
        assert quota.source
        assert quota.read
        assert quota.regions.keys() <= set(known().regions)


# The command


def test_the_command_names_what_binds_first_what_to_change_and_what_it_costs() -> None:
    result = run_command("plan", "--orders-per-second", "1000")
    assert (result.exit_code, result.stderr) == (0, "")
    made = plan(Order(), 1_000)
    assert result.stdout.splitlines()[: len(list(made.first_lines()))] == list(made.first_lines())
    for table in made.tables():
        for row in table.rows:
            assert "\t".join(row) in result.stdout
    for title in ("settings to change", "quotas to raise", "what needs another design"):
        assert title not in run_command("plan", "--orders-per-second", "0.5").stdout


def test_its_json_has_what_its_tables_have() -> None:
    result = run_command(
        "plan", "--orders-per-second", "100", "--region", "eu-central-1", "--hot-sku", "0.5%", "--json"
    )
    said = json.loads(result.stdout)
    order = Order(region="eu-central-1", hot_sku=0.005)
    made = plan(order, 100)
    assert said["order"] == {"lines": 3, "skus": 10_000, "hot_sku": 0.005, "region": "eu-central-1", "lane": "express"}
    assert said["first_limit"] == made.first.name
    assert [each["name"] for each in said["limits"] if each["exceeded"]] == [limit.name for limit in made.exceeded]
    assert said["usd_per_month"]["total"] == pytest.approx(made.bill.total)
    assert [each["function"] for each in said["stages"]] == [stage.function for stage in made.ways]


def test_the_region_before_the_command_counts_too() -> None:
    before = run_command("--region", "sa-east-1", "plan", "--orders-per-second", "1")
    after = run_command("plan", "--orders-per-second", "1", "--region", "sa-east-1")
    assert before.stdout == after.stdout != run_command("plan", "--orders-per-second", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--orders-per-second", "0"], "0.01"),
        (["--orders-per-second", "many"], "valid number"),
        ([], "--orders-per-second"),
        (["--orders-per-second", "1", "--hot-sku", "101%"], "'101%' is no share of orders: 5%, 0.5%, at most 100%"),
        (["--orders-per-second", "1", "--hot-sku", "0.05"], "'0.05' is no share of orders"),
        (["--orders-per-second", "1", "--region", "mars-1"], "there is no region 'mars-1'; there is: af-south-1"),
        (["--orders-per-second", "1", "--lines", "5", "--skus", "4"], "5 lines"),
        (["--orders-per-second", "1", "--lane", "fast"], "fast"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(arguments: list[str], says: str) -> None:
    result = run_command("plan", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


# The document


def test_the_tables_of_the_document_are_what_the_command_says() -> None:
    """If not: `python -m infra.planning` writes them again."""
    text = document.FILE.read_text(encoding="utf-8")
    assert document.filled(text) == text
    for name in ("summary", "limits", "bill", "regions", "measured"):
        assert f"<!-- {name}: " in text


def test_the_limits_are_in_the_order_in_which_they_bind() -> None:
    assert all(one.binds_at <= other.binds_at for one, other in pairwise(plan(Order(), 1).limits))
