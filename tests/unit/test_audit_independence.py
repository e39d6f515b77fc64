"""The audit expects what the log says, not what the code under audit makes of it: whatever is wrong there shows."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import Recorded
from events.ordering import CancellationRequested, OrderCancellationRefused, OrderConfirmed, OrderPlaced
from handlers.intake.validation import Refused
from handlers.operations import audit
from handlers.operations.audit import counters, notes, order_views, views
from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.published_submission import Submission
from handlers.operations.audit.table import read_table
from handlers.ordering.submission import Valid, decide, placed, rejected
from handlers.projections import customer_history, daily_sales, order_fold, stock_view
from handlers.projections.counter_views import CUSTOMERS, SALES, STOCK, CounterViews
from handlers.projections.engine.counting import Counting
from handlers.projections.engine.increments import CounterKey, History, Increments
from handlers.projections.engine.projection import Count
from handlers.projections.registry import PROJECTIONS
from infra.local.runner.generator import generate
from tests.builders.clean_run import CLEAN
from tests.builders.generated_log import run
from tests.builders.orders import CONTENT_KEY, line, order
from tests.builders.recorded_events import record
from tests.engines.projecting import STORE, projecting

ORDERS = run(30)
REQUESTED, REFUSED = [each.stream.partition("#")[2] for each in ORDERS if isinstance(each.event, OrderConfirmed)][:2]
LOG = [
    *ORDERS,
    record(CancellationRequested(order_id=REQUESTED), f"cancellation#{REQUESTED}", 1),
    record(CancellationRequested(order_id=REFUSED), f"cancellation#{REFUSED}", 1),
    record(OrderCancellationRefused(order_id=REFUSED, reason="too late"), f"cancellation#{REFUSED}", 2),
]
SHOWN = ("status", "stock", "cancellation", "personal_data")
SHIPPED: Mapping[str, tuple[CounterViews, Callable[[Recorded, History], Increments]]] = {
    "daily_sales": (SALES, daily_sales.increments),
    "stock_view": (STOCK, stock_view.increments),
    "customer_history": (CUSTOMERS, customer_history.increments),
}


def projected(log: Sequence[Recorded] = LOG) -> Evidence:
    """What every projection makes of a log, as the audit reads it."""
    with projecting(log):
        for projection in PROJECTIONS.values():
            assert projection.on(STORE).apply("1", log) == {}
        return Evidence(read_table(STORE.client, STORE.table))


def findings(evidence: Evidence) -> list[str]:
    return [str(finding) for finding in views.check(evidence)]


def test_what_the_projections_make_of_a_log_is_what_the_audit_expects() -> None:
    evidence = projected()
    assert findings(evidence) == []
    assert list(notes(evidence)) == []
    assert len(evidence.table.views) >= len(evidence.orders) > 6
    assert {name for name, counts in evidence.table.counters.items() if counts} == SHIPPED.keys()
    words = {view.get(name) for view in evidence.table.views.values() for name in SHOWN}
    assert words >= {"PLACED", "CONFIRMED", "CANCELLED", "REJECTED", "reserved", "released", "requested", "refused"}
    assert "erased" in words


def doubled(adds: Increments) -> Increments:
    return {cell: {name: 2 * number for name, number in counts.items()} for cell, counts in adds.items()}


def only_once_confirmed(adds: Increments) -> Increments:
    """Nothing is ever taken out."""
    return {cell: {name: max(number, 0) for name, number in counts.items()} for cell, counts in adds.items()}


def elsewhere(adds: Increments) -> Increments:
    return {CounterKey(f"other-{cell.view}", cell.detail): counts for cell, counts in adds.items()}


def never(adds: Increments) -> Increments:
    return {}


@pytest.mark.parametrize("wrong", [doubled, only_once_confirmed, elsewhere, never])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_projection_that_counts_wrongly_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[[Increments], Increments]
) -> None:
    keys, adds = SHIPPED[name]
    counting = Counting(keys, PROJECTIONS[name].events, lambda record, history: wrong(adds(record, history)))
    monkeypatch.setitem(PROJECTIONS, name, counting)
    evidence = projected()
    assert {difference.projection for difference in counters.differences(evidence)} == {name}
    assert findings(evidence)


def confirmed_though_cancelled(fold: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def folded(history: Any) -> Any:
        attributes = fold(history)
        return {name: "CONFIRMED" if value == "CANCELLED" else value for name, value in attributes.items()}

    return folded


def without_a_total(fold: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda history: {name: value for name, value in fold(history).items() if name != "total"}


@pytest.mark.parametrize("wrong", [confirmed_though_cancelled, without_a_total])
def test_an_order_view_that_folds_wrongly_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Callable[[Any], Any]], Callable[[Any], Any]]
) -> None:
    fold = wrong(order_fold.fold)
    monkeypatch.setattr(order_fold, "fold", fold)
    monkeypatch.setattr("handlers.projections.order_view.fold", fold)
    evidence = projected()
    assert dict(order_views.differences(evidence)).keys() <= evidence.orders.keys()
    assert findings(evidence)


def test_nothing_of_the_projections_that_ship_is_asked_what_to_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("a projection was asked what it should hold")

    evidence = projected()
    for name, (keys, _) in SHIPPED.items():
        monkeypatch.setitem(PROJECTIONS, name, Counting(keys, PROJECTIONS[name].events, asked))
    monkeypatch.setattr(order_fold, "fold", asked)
    assert findings(evidence) == []


def lines_placed(each: Recorded, _: History) -> Increments:
    assert isinstance(each.event, OrderPlaced)
    return {CounterKey("all"): {"lines": len(each.event.lines)}}


def test_a_projection_of_a_teams_own_is_compared_with_its_own_definition_and_the_audit_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counting = Counting(CounterViews("order_lines", "lines"), (OrderPlaced,), lines_placed)
    monkeypatch.setitem(PROJECTIONS, "order_lines", counting)
    evidence = projected()
    assert findings(evidence) == []
    assert list(notes(evidence)) == ["order_lines: its counters were compared with the projection's own definition"]

    lines = sum(len(placed.lines) for placed in evidence.orders.values())
    wrong = {"order_lines": [Count("view#lines#all", "", "lines", 1)]}
    assert findings(Evidence(replace(evidence.table, counters=wrong))) == [
        f"invariant 1: view#lines#all: the view has 1 for lines, the projection's own definition {lines}"
    ]


READS = {
    "handlers.projections.engine.generations",
    "handlers.projections.engine.projection",
    "handlers.projections.registry",
}
"""What the audit needs to find what is stored, and for projections of a team's own."""


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_audit_imports_nothing_of_what_it_audits() -> None:
    [folder] = audit.__path__
    allowed = ("handlers.operations.audit.", "handlers.table.", *(f"{name}." for name in READS))
    against = {
        f"{file.name} imports {name}"
        for file in Path(folder).glob("*.py")
        for name in imported(file)
        if name.startswith("handlers.") and not name.startswith(allowed)
    }
    assert against == set()


# Submissions


def judged(shop: str, detail: Any) -> tuple[str | None, str | None, bool]:
    """What the intake makes of a submission: its order id and content hash, and whether it is an order."""
    try:
        decided = decide(detail)
    except Refused:
        return None, None, False
    if isinstance(decided, Valid):
        order_placed = placed(shop, decided, CONTENT_KEY)
        return order_placed.order_id, order_placed.content_hash, True
    order_rejected = rejected(shop, decided, CONTENT_KEY)
    return order_rejected.order_id, order_rejected.content_hash, False


def assert_agreed(detail: Any, shop: str = "demo") -> None:
    submission = Submission(shop, detail)
    known = submission.order_id is not None
    content_hash = submission.content_hash(CONTENT_KEY) if known else None
    assert judged(shop, detail) == (submission.order_id, content_hash, submission.order is not None)


def test_audit_and_intake_agree_on_generated_submissions() -> None:
    for each in (*generate(300, 4).submissions, *CLEAN.submissions):
        assert_agreed(each.detail, each.shop)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
FIELD = st.sampled_from(sorted(order()))
LIMITS = [
    order("o1", line("A", 1_000_000, 10**9)),
    order("o1", line("A", 1_000_000, 10**9), line("B", 1, 1)),
    order("o1", *[line(description="x" * 256)] * 700),
    order("o1", *[line()] * 1_001),
    order("o1", line(description=None), customer={"customer_id": "c1", "email": None}),
    order("o1", line(description="half a pair \ud800")),
    order("x" * 47, customer={"customer_id": "c" * 64}),
    order("x" * 48),
    order("demo.o1"),
    order("o1", customer={"customer_id": "demo.c1"}),
    order("o1", customer={"email": "guest@customers.example"}),
]


@pytest.mark.parametrize("number", range(len(LIMITS)))
def test_audit_and_intake_agree_at_the_limits(number: int) -> None:
    assert_agreed(LIMITS[number])


@given(st.dictionaries(FIELD, ANYTHING, max_size=3), st.dictionaries(st.text(max_size=3), ANYTHING, max_size=1))
def test_audit_and_intake_agree_whatever_is_submitted(changed: dict[str, Any], more: dict[str, Any]) -> None:
    assert_agreed({**order(), **changed, **more})
