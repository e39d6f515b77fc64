"""What the doctor finds: nothing in a sound pipeline, each problem in others, and what repairs it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import event_id
from events.inventory import DeliveredLine, StockLine, StockReceived, StockReleased, StockReserved
from events.model import DomainEvent
from events.ordering import CancellationRequested, OrderCancellationRefused, OrderCancellationStarted
from events.shipping import ShipmentCancelled, ShipmentDispatched
from handlers.operations.audit.balances import Level, explained_levels
from handlers.operations.audit.copy import documents
from handlers.operations.audit.evidence import Evidence
from handlers.operations.doctor.diagnosis import problems
from handlers.operations.doctor.problem import Kind, Problem, Repair
from handlers.operations.doctor.report import arguments, grouped
from handlers.operations.doctor.snapshot import Snapshot
from tests.builders.clean_run import CLEAN, STREAMS, TABLE, VIEWS, published, with_log, with_table, with_view, without
from tests.builders.recorded_events import START, record

LATER = START + timedelta(hours=1)


def snapshot(evidence: Evidence = CLEAN, **changes: Any) -> Snapshot:
    """What was read long after all that happened, with everything published and no saga running."""
    made = Snapshot(
        evidence.table,
        published(evidence.table.log),
        running=frozenset(),
        settled_before=LATER,
        stalled_before=LATER,
    )
    return replace(made, **changes)


def found(of: Snapshot) -> list[Problem]:
    return list(problems(of))


def of_order(of: Snapshot) -> set[tuple[str, Repair | None]]:
    """What is wrong with an order itself, not with its view."""
    return {(problem.wrong, problem.repair) for problem in found(of) if problem.about.startswith("order ")}


def test_a_sound_pipeline_has_no_problem() -> None:
    assert found(snapshot()) == []
    assert found(snapshot(Evidence(replace(TABLE, log={}, views={}, levels={}, counters={})))) == []


PLACED = ("order#demo.well", STREAMS["order#demo.well"][0])
RESUME = Repair("resume", "demo.well")
BROKEN: dict[str, tuple[Callable[[], Snapshot], Kind, str, str, Repair | None]] = {
    "an event that was never published": (
        lambda: snapshot(published=published(TABLE.log) - {event_id("payment#demo.well", 2)}),
        Kind.UNPUBLISHED_EVENT,
        "payment#demo.well version 2",
        "PaymentCaptured was appended, and never published",
        Repair("republish", "payment#demo.well"),
    ),
    "an event that cannot be read": (
        lambda: snapshot(with_table(unreadable=["order#demo.x event#0000000001"])),
        Kind.UNREADABLE_EVENT,
        "order#demo.x event#0000000001",
        "the event cannot be read: deploy and run a version that knows its type",
        None,
    ),
    "a view that was deleted": (
        lambda: snapshot(with_table(views=without(VIEWS, "demo.declined"))),
        Kind.WRONG_VIEW,
        "view of order demo.declined",
        "has no view",
        Repair("rebuild", "order_view"),
    ),
    "a view that was tampered with, in one line": (
        lambda: snapshot(with_view("demo.well", status="PLACED", total=1)),
        Kind.WRONG_VIEW,
        "view of order demo.well",
        "the view has status 'PLACED', the log 'CONFIRMED'; the view has total 1, the log 350",
        Repair("rebuild", "order_view"),
    ),
    "a view of nothing": (
        lambda: snapshot(with_table(views={**VIEWS, "demo.ghost": {"order_id": "demo.ghost"}})),
        Kind.WRONG_VIEW,
        "view of order demo.ghost",
        "has a view, but the log knows nothing of it",
        Repair("rebuild", "order_view"),
    ),
    "an order whose saga was never started": (
        lambda: snapshot(with_log(*PLACED)),
        Kind.STALLED_ORDER,
        "order demo.well",
        "is stalled: nothing happened after OrderPlaced, and no order saga runs for it",
        RESUME,
    ),
    "an order that is half cancelled": (
        lambda: snapshot(with_log("order#demo.declined", *STREAMS["order#demo.declined"][:2])),
        Kind.STALLED_ORDER,
        "order demo.declined",
        "is stalled: nothing happened after OrderCancellationStarted, and no order saga runs for it",
        Repair("resume", "demo.declined"),
    ),
    "a confirmed order that is half cancelled": (
        lambda: snapshot(
            with_log(
                "order#demo.well",
                *STREAMS["order#demo.well"],
                OrderCancellationStarted(order_id="demo.well", reason="r"),
            )
        ),
        Kind.STALLED_ORDER,
        "order demo.well",
        "is stalled: nothing happened after OrderCancellationStarted, and no cancellation saga runs for it",
        RESUME,
    ),
    "a request to cancel that nobody answers": (
        lambda: snapshot(with_log("cancellation#demo.well", CancellationRequested(order_id="demo.well"))),
        Kind.STALLED_ORDER,
        "order demo.well",
        "is stalled: a request to cancel it has no answer, and no cancellation saga runs for it",
        RESUME,
    ),
    "money held for a stalled order": (
        lambda: snapshot(with_log(*PLACED)),
        Kind.UNBALANCED_ORDER,
        "order demo.well",
        "captured less refunded is GBP 3.50, it owes GBP 0.00",
        RESUME,
    ),
    "goods held for a stalled order": (
        lambda: snapshot(with_log(*PLACED)),
        Kind.UNBALANCED_ORDER,
        "order demo.well",
        "3 of A are reserved, it takes 0, and 1 more like this",
        RESUME,
    ),
    "money that was never captured": (
        lambda: snapshot(with_log("payment#demo.well", STREAMS["payment#demo.well"][0])),
        Kind.UNBALANCED_ORDER,
        "order demo.well",
        "authorized is GBP 3.50, captured and voided add up to GBP 0.00",
        Repair("history", "demo.well"),
    ),
    "goods that did not follow their parcel": (
        lambda: snapshot(
            with_log("shipment#demo.well", *STREAMS["shipment#demo.well"], ShipmentDispatched(order_id="demo.well"))
        ),
        Kind.UNBALANCED_ORDER,
        "order demo.well",
        "0 pieces are shipped, 4 set aside; dispatched: True",
        Repair("republish", "shipment#demo.well"),
    ),
    "a level that differs from the log": (
        lambda: snapshot(with_table(levels={**TABLE.levels, "A": {"available": 6, "version": 4}})),
        Kind.WRONG_LEVEL,
        "stock of A",
        "is 6 after 4 changes; the log has 7 after 4 changes",
        Repair("recount", "A"),
    ),
    "a level that is gone": (
        lambda: snapshot(with_table(levels=without(TABLE.levels, "A"))),
        Kind.WRONG_LEVEL,
        "stock of A",
        "has no level; the log has 7 after 4 changes",
        Repair("recount", "A"),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named_with_what_repairs_it(case: str) -> None:
    broken, kind, about, wrong, repair = BROKEN[case]
    assert Problem(kind, about, wrong, repair) in found(broken())


REPAIRS = st.builds(Repair, st.sampled_from(["republish", "resume"]), st.sampled_from("abc"))
PROBLEMS = st.lists(
    st.builds(Problem, st.sampled_from(Kind), st.sampled_from("abc"), st.just("is wrong"), st.none() | REPAIRS)
)


@given(PROBLEMS)
def test_every_problem_is_in_the_one_group_of_its_kind_and_repair(them: list[Problem]) -> None:
    groups = grouped(them)
    assert Counter(problem for group in groups for problem in group.problems) == Counter(them)
    assert len({(group.kind, group.repaired_by) for group in groups}) == len(groups)
    for group in groups:
        for problem in group.problems:
            assert (problem.kind, problem.repair and problem.repair.command) == (group.kind, group.repaired_by)


@given(PROBLEMS)
def test_every_repair_is_called_for_once(them: list[Problem]) -> None:
    repairs = [Repair(command, each) for command, given in arguments(them).items() for each in given]
    assert Counter(repairs) == Counter({problem.repair for problem in them if problem.repair})


def test_what_just_happened_is_not_expected_to_show_yet() -> None:
    just_now: Any = {"settled_before": START, "stalled_before": START}
    assert found(snapshot(published=frozenset(), **just_now)) == []
    assert found(snapshot(with_table(views={}), **just_now)) == []
    assert of_order(snapshot(with_log(*PLACED), **just_now)) == set()
    dispatched = with_log(
        "shipment#demo.well", *STREAMS["shipment#demo.well"], ShipmentDispatched(order_id="demo.well")
    )
    assert of_order(snapshot(dispatched, **just_now)) == set()


def test_what_a_saga_is_at_work_on_is_neither_stalled_nor_out_of_balance() -> None:
    assert of_order(snapshot(with_log(*PLACED), running={"demo.well"})) == set()
    assert of_order(snapshot(with_log(*PLACED), running={"demo.declined"})) != set()


def test_an_order_that_has_ended_is_not_stalled_however_its_requests_were_answered() -> None:
    answers: list[DomainEvent] = [
        CancellationRequested(order_id="demo.well"),
        OrderCancellationRefused(order_id="demo.well", reason="dispatched"),
    ]
    assert of_order(snapshot(with_log("cancellation#demo.well", *answers))) == set()


def test_streams_that_are_not_published_are_not_missed_on_the_bus() -> None:
    assert ("notification#demo.well", 1) in TABLE.log
    assert event_id("notification#demo.well", 1) not in snapshot().published


def test_a_cancelled_order_may_have_gone_any_way_that_balances() -> None:
    gone = with_log("shipment#demo.declined", ShipmentCancelled(order_id="demo.declined"))
    assert of_order(snapshot(gone)) == set()


QUANTITIES = st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 9), st.sampled_from("+-")), max_size=20)


@given(QUANTITIES, st.randoms(use_true_random=False))
def test_levels_are_explained_by_the_log_in_whatever_order_it_is_read(
    changes: list[tuple[str, int, str]], shuffled: Any
) -> None:
    records = []
    expected: dict[str, Level] = {}
    for number, (sku, quantity, sign) in enumerate(changes):
        event: DomainEvent
        if sign == "-":
            taken = (StockLine(sku=sku, quantity=quantity),)
            event = StockReserved(order_id=f"demo.o{number}", chunk=1, chunks=1, lines=taken)
        elif number % 2:
            event = StockReleased(order_id=f"demo.o{number}", chunk=1, lines=(StockLine(sku=sku, quantity=quantity),))
        else:
            delivered = (DeliveredLine(sku=sku, quantity=quantity),)
            event = StockReceived(delivery_id=f"d{number}", chunk=1, chunks=1, lines=delivered)
        records.append(
            record(event, f"{'delivery#d' if isinstance(event, StockReceived) else 'reservation#demo.o'}{number}", 1)
        )
        available, version = expected.get(sku, Level())
        expected[sku] = Level(available + (-quantity if sign == "-" else quantity), version + 1)
    shuffled.shuffle(records)
    assert explained_levels(records) == expected


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
DOCUMENTS = st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=5)


@given(DOCUMENTS, st.sampled_from(["", "\n", " \r\n\t"]))
def test_documents_are_separated_whatever_is_between_them(written: list[Any], between: str) -> None:
    text = "".join(json.dumps(each, ensure_ascii=False) + between for each in written)
    assert list(documents(text)) == written


def test_what_is_no_document_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        list(documents('{"a": 1}oops'))


def test_what_was_before_the_audit_copy_was_begun_is_not_expected_in_it() -> None:
    begun = max(record.metadata.occurred_at for record in TABLE.log.values()) + timedelta(seconds=1)
    assert found(snapshot(published=frozenset(), copied_since=begun)) == []
    assert found(snapshot(published=frozenset(), copied_since=START)) != []
