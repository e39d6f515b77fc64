"""Views that count: each event once, in whatever packing, and whatever happens between two transactions."""

import random
import re
import runpy
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced
from handlers.projections.engine.projection import LogBehind
from handlers.retry_policy import Contended
from tests.builders.generated_log import run
from tests.builders.orders import line, placed
from tests.builders.recorded_events import record
from tests.engines.memory_table import Memory, Refused
from tests.engines.projecting import COUNTING, PROJECTIONS, STORE, counters, projecting, summed

EXTENDING = Path(__file__).parents[2] / "docs" / "extending.md"
LOG = run(8, seed=2)
SALES, STOCK, CUSTOMERS = (PROJECTIONS[name] for name in ("daily_sales", "stock_view", "customer_history"))


def order(
    order_id: str, *lines: Mapping[str, Any], ends: tuple[type[DomainEvent], ...], **changed: Any
) -> list[Recorded]:
    """An order's own stream."""
    outcomes = {
        OrderConfirmed: OrderConfirmed(order_id=order_id),
        OrderCancellationStarted: OrderCancellationStarted(order_id=order_id, reason="CancellationRequested"),
        OrderCancelled: OrderCancelled(order_id=order_id, reason="CancellationRequested"),
    }
    history = [placed(order_id, *lines, **changed), *(outcomes[end] for end in ends)]
    return [record(event, streams.order(order_id), version) for version, event in enumerate(history, start=1)]


CONFIRMED = (OrderConfirmed,)
RECALLED = (OrderConfirmed, OrderCancellationStarted, OrderCancelled)
GIVEN_UP = (OrderCancellationStarted, OrderCancelled)


class Trouble:
    """Transactions that conflict with others, and a function that dies before or after one, now and then."""

    class Died(BaseException):
        """The function died."""

    def __init__(self, memory: Memory, rand: random.Random) -> None:
        self._rand = rand
        self._memory = memory
        memory.on_call = self.before
        memory.done = self.after

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        if operation != "TransactWriteItems":
            return
        if self._rand.random() < 0.15:
            raise self.Died
        if self._rand.random() < 0.3:
            reasons = [{"Code": "None"} for _ in request["TransactItems"]]
            self._rand.choice(reasons)["Code"] = "TransactionConflict"
            raise Refused("TransactionCanceledException", CancellationReasons=reasons)

    def after(self, operation: str) -> None:
        if operation == "TransactWriteItems" and self._rand.random() < 0.15:
            raise self.Died


@given(st.integers(0, 2**32), st.sampled_from(sorted(COUNTING)))
@settings(max_examples=60)
def test_in_any_packing_with_crashes_and_conflicts_the_counters_are_the_plain_sum(seed: int, name: str) -> None:
    rand = random.Random(seed)
    arriving = LOG + rand.sample(LOG, len(LOG) // 3)
    rand.shuffle(arriving)
    with pytest.MonkeyPatch.context() as patch, projecting(LOG) as memory:
        patch.setattr("handlers.retry_policy.time.sleep", lambda _: None)
        Trouble(memory, rand)
        while arriving:
            batch, arriving = arriving[: (size := rand.randint(1, 30))], arriving[size:]
            try:
                failures = PROJECTIONS[name].apply("1", batch)
            except Trouble.Died:
                arriving += batch
            else:
                assert all(isinstance(failure, Contended) for failure in failures.values())
                arriving += [each for each in batch if (each.stream, each.version) in failures]
        assert counters(memory, name) == summed(LOG, name)


def test_an_order_of_592_lines_is_counted_once_in_chunks() -> None:
    history = order("demo.large", *(line(f"SKU-{n}", n, 7) for n in range(1, 593)), ends=CONFIRMED)
    with projecting(history) as memory:
        sizes: list[int] = []
        memory.on_call = lambda operation, request: sizes.append(len(request.get("TransactItems", [])))
        assert SALES.apply("1", history) == {}
        assert [size for size in sizes if size] == [100, 100, 100, 100, 100, 99]  # 593 counters, and a marker each
        counted = counters(memory, "daily_sales")
        assert SALES.apply("1", history * 2) == {}
        assert counters(memory, "daily_sales") == counted
    [day] = {view for view, _ in counted}
    assert day.startswith("view#sales#2026-01-02#")
    assert counted[day, "GBP"] == {"orders": 1, "total": 7 * 592 * 593 // 2}
    assert counted[day, "GBP#SKU-592"] == {"quantity": 592, "total": 7 * 592}
    assert len(counted) == 593


@pytest.mark.parametrize("died_at", range(1, 7))
def test_a_function_that_dies_between_the_chunks_of_an_order_counts_the_rest_later(died_at: int) -> None:
    history = order("demo.large", *(line(f"SKU-{n}") for n in range(1, 593)), ends=CONFIRMED)
    with projecting(history) as memory:
        passed: list[str] = []

        def die(operation: str) -> None:
            passed.append(operation)
            if passed.count("TransactWriteItems") == died_at:
                raise Trouble.Died

        memory.done = die
        with pytest.raises(Trouble.Died):
            SALES.apply("1", history)
        memory.done = lambda _: None
        assert SALES.apply("1", history) == {}
        assert counters(memory, "daily_sales") == summed(history, "daily_sales")


def test_a_sku_in_several_lines_is_one_product() -> None:
    history = order("demo.o1", line("A", 2, 100), line("B", 1, 50), line("A", 3, 10), ends=CONFIRMED)
    with projecting(history) as memory:
        SALES.apply("1", history)
        assert {detail: each for (_, detail), each in counters(memory, "daily_sales").items()} == {
            "GBP": {"orders": 1, "total": 280},
            "GBP#A": {"quantity": 5, "total": 230},
            "GBP#B": {"quantity": 1, "total": 50},
        }


def test_an_order_cancelled_after_it_was_confirmed_leaves_its_day_and_its_customer() -> None:
    history = order("demo.o1", line("A", 2, 100), ends=RECALLED)
    with projecting(history) as memory:
        for projection in (SALES, CUSTOMERS):
            assert projection.apply("1", history) == {}
        assert counters(memory, "daily_sales") == {}
        assert counters(memory, "customer_history") == {("view#customer#demo.c1", ""): {"placed": 1, "cancelled": 1}}


def test_an_order_that_was_never_confirmed_was_never_in_a_day() -> None:
    history = order("demo.o1", ends=GIVEN_UP)
    with projecting(history) as memory:
        for projection in (SALES, CUSTOMERS):
            assert projection.apply("1", history) == {}
        assert not memory.under("view#sales#")
        assert counters(memory, "customer_history") == {("view#customer#demo.c1", ""): {"placed": 1, "cancelled": 1}}


def test_guests_are_in_the_days_and_have_no_history() -> None:
    history = order("demo.o1", line("A", 2, 100), ends=CONFIRMED, customer=None)
    with projecting(history) as memory:
        for projection in (SALES, CUSTOMERS):
            assert projection.apply("1", history) == {}
        assert counters(memory, "daily_sales")
        assert not memory.under("view#customer#")


def test_what_the_log_does_not_show_yet_is_to_be_delivered_again() -> None:
    history = order("demo.o1", ends=CONFIRMED)
    with projecting(history[:1]) as memory:
        [(position, why)] = SALES.apply("1", history[1:]).items()
        assert (position, type(why)) == (("order#demo.o1", 2), LogBehind)
        assert not memory.under("view#")


def test_counters_that_others_always_write_are_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.retry_policy.time.sleep", lambda _: None)

    def conflict(operation: str, request: Mapping[str, Any]) -> None:
        if operation == "TransactWriteItems":
            reasons = [{"Code": "TransactionConflict"} for _ in request["TransactItems"]]
            raise Refused("TransactionCanceledException", CancellationReasons=reasons)

    history = order("demo.o1", ends=CONFIRMED)
    with projecting(history) as memory:
        memory.on_call = conflict
        [why] = SALES.apply("1", history).values()
    assert isinstance(why, Contended)


def test_events_of_a_stream_in_one_batch_share_a_marker_and_a_counter_and_each_still_counts_once() -> None:
    history = order("demo.o1", ends=CONFIRMED)
    with projecting(history) as memory:
        written: list[int] = []
        memory.on_call = lambda operation, request: written.append(len(request.get("TransactItems", [])))
        assert CUSTOMERS.apply("1", history) == {}
        assert [items for items in written if items] == [2]
        assert CUSTOMERS.apply("1", history[1:]) == {}
        assert CUSTOMERS.apply("1", history) == {}
        assert counters(memory, "customer_history") == summed(history, "customer_history")


def test_what_was_missing_of_a_stream_is_added_beside_what_was_not() -> None:
    history = order("demo.o1", ends=RECALLED)
    with projecting(history) as memory:
        assert CUSTOMERS.apply("1", [history[1]]) == {}
        assert CUSTOMERS.apply("1", history) == {}
        assert counters(memory, "customer_history") == summed(history, "customer_history")


def test_duplicates_are_left_out_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("handlers.retry_policy.time.sleep", waits.append)
    first, second = order("demo.o1", ends=CONFIRMED), order("demo.o2", ends=CONFIRMED)
    with projecting([*first, *second]) as memory:
        assert CUSTOMERS.apply("1", first) == {}
        assert CUSTOMERS.apply("1", [*first, *second]) == {}
        assert counters(memory, "customer_history") == summed([*first, *second], "customer_history")
    assert waits == []


def test_the_example_in_the_documents_counts(tmp_path: Path) -> None:
    text = EXTENDING.read_text(encoding="utf-8")
    [example] = re.findall(r"( *)```python\n(.*?)```", text, flags=re.DOTALL)
    module = tmp_path / "orders_by_country.py"
    module.write_text(dedent(example[1]))
    by_country = runpy.run_path(str(module))["ORDERS_BY_COUNTRY"]
    orders = Counter(each.event.destination.country for each in LOG if isinstance(each.event, OrderPlaced))
    with projecting(LOG) as memory:
        assert by_country.on(STORE).apply("1", [*LOG, *LOG]) == {}
        counts = [count for item in memory.items.values() for count in by_country.stored_counts(item)]
    assert {count.view: count.number for count in counts} == {f"view#country#{at}": n for at, n in orders.items()}
