"""Executions of the order saga for one order, in either lane and in both, a request to cancel it and what follows from
that, in every order of their calls to AWS. What comes after the confirmation, and before the order, is in
`tests.saga.test_cancellation`.

Nothing is sampled: the explorer visits every state that any interleaving of the actors' calls leads to, so a
switch from one to another lies between any two calls, within tasks and between them.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers.payments.refusals import PaymentGatewayUnreachable
from tests.engines.explorer import Actor, Content, Saga, executions
from tests.engines.in_process import Functions
from tests.engines.table import Table
from tests.engines.wire import Answer, Call, Fault, Trouble
from tests.saga.balance import settled
from tests.saga.scene import CONFIRMED, KINDS, ORDER, Kind, Scene, cancelled, found, sagas


@pytest.fixture(params=KINDS, scope="module")
def scene(request: pytest.FixtureRequest, loaded: Functions, table: Table) -> Scene:
    """A scene of every kind; what one test found out about a kind the next one knows."""
    return Scene(KINDS[request.param], loaded, table, ORDER)


@pytest.fixture
def approved(loaded: Functions, table: Table) -> Scene:
    return Scene(KINDS["approve"], loaded, table, ORDER)


def test_one_execution_killed_anywhere_any_number_of_times_ends_in_one_state_in_either_lane(scene: Scene) -> None:
    undisturbed = scene.ends(scene.executions("A"))
    killed = [*scene.ends(scene.executions("A"), kills=True), *scene.ends(scene.express("E"), kills=True)]

    assert found(undisturbed) == {scene.kind.end}
    assert {state.content.key for state in killed} == {state.content.key for state in undisturbed}


def test_two_actors_killed_anywhere_end_in_one_outcome(scene: Scene) -> None:
    assert found(scene.ends(scene.executions("A") | scene.express("E"), kills=True)) == {scene.kind.end}
    assert found(scene.ends(scene.executions("A") | scene.cancellation, kills=True)) == scene.ends_if_cancelled


def test_both_lanes_and_a_request_to_cancel_end_in_one_outcome(scene: Scene) -> None:
    # With kills too where all goes well; elsewhere they would take minutes.
    states = scene.ends(scene.executions("A") | scene.express("E") | scene.cancellation, kills=not scene.kind.order)

    assert found(states) == scene.ends_if_cancelled


@pytest.mark.parametrize(
    ("sandbox", "reason"), [("payments", "PaymentGatewayUnreachable"), ("shipping", "CarrierUnreachable")]
)
def test_an_execution_that_gets_no_answers_cancels_only_what_is_not_captured(
    approved: Scene, sandbox: str, reason: str
) -> None:
    """What B hears of the outside service is nothing at all, until it has to undo."""
    a, b = approved.executions("A", "B").values()
    states = approved.ends({"A": a, "B": replace(b, cut_off=frozenset({sandbox}))})

    assert found(states) == {CONFIRMED, cancelled(reason)}
    traces = {line for state in states for process in sagas(state) for line in process.execution.trace}
    assert {"StartCancellation: AlreadyCaptured", "StartCancellation: AlreadyConfirmed"} <= traces


@pytest.mark.parametrize("cut_off", [("payments",), ("shipping",), ("payments", "shipping")], ids=" and ".join)
def test_after_the_capture_an_execution_without_answers_confirms_from_the_log(
    approved: Scene, cut_off: tuple[str, ...]
) -> None:
    first = Saga(approved.functions, ORDER)
    while first.task != "ConfirmOrder":
        first = first.step()
    captured = approved.table.items()
    second = Actor(Saga(approved.functions, ORDER), cut_off=frozenset(cut_off))

    assert found(approved.ends({"A": Actor(first), "B": second}, items=captured)) == {CONFIRMED}
    assert found(approved.ends({"B": second}, items=captured)) == {CONFIRMED}


class NoAnswers:
    """A tap behind which the payment gateway is not there."""

    def before(self, call: Call) -> None:
        if "sandbox#payments#" in call.key:
            raise PaymentGatewayUnreachable("no answer")

    def after(self, call: Call, answer: Answer) -> None:
        """Other calls are answered."""


def test_who_turns_back_and_finds_the_payment_captured_confirms_even_alone(approved: Scene) -> None:
    first, second = Saga(approved.functions, ORDER), Saga(approved.functions, ORDER)
    with approved.functions.wire.tapped(NoAnswers()):
        while second.task != "StartCancellation":
            second = second.step()
    while first.task != "ConfirmOrder":
        first = first.step()

    second.execution.run()
    assert second.execution.trace[-2:] == ["StartCancellation: AlreadyCaptured", "ConfirmOrder"]
    assert settled(approved.table.items(), ORDER) == CONFIRMED


def test_two_orders_for_the_last_goods(loaded: Functions, table: Table) -> None:
    scene = Scene(Kind({"lines": {"apple": 6, "pear": 1}}), loaded, table, "demo.o1", "demo.o2")
    states = scene.ends(executions(loaded, "demo.o1", "A") | executions(loaded, "demo.o2", "B"))

    pairs = {tuple(settled(state.content.items, order_id) for order_id in ("demo.o1", "demo.o2")) for state in states}
    out_of_stock = cancelled("OutOfStock")
    assert pairs == {(CONFIRMED, out_of_stock), (out_of_stock, CONFIRMED)}


@pytest.mark.parametrize(
    ("trouble", "errors"),
    [
        (Trouble.THROTTLED, {"Throttled", "Contended"}),
        (Trouble.OUT_OF_REACH, {"Unreachable"}),
        (Trouble.ANSWER_LOST, {"Unreachable"}),
    ],
)
@pytest.mark.parametrize("kind", ["approve", "carrier rejects"])
def test_our_own_trouble_changes_no_outcome(
    loaded: Functions, table: Table, kind: str, trouble: Trouble, errors: set[str]
) -> None:
    """At every call of two orders that go through every task between them."""
    scene = Scene(KINDS[kind], loaded, table, ORDER)
    undisturbed = Fault()
    with loaded.wire.tapped(undisturbed):
        Saga(loaded, ORDER).execution.run()
    expected = Content(table.items()).key

    for at in range(1, len(undisturbed.calls) + 1):
        table.set(scene.items)
        execution = Saga(loaded, ORDER).execution
        with loaded.wire.tapped(Fault(at, trouble)):
            assert execution.run().status == "SUCCEEDED"

        assert sum(line.partition(": ")[2] in errors for line in execution.trace) == 1
        assert settled(table.items(), ORDER) == scene.kind.end
        assert Content(table.items()).key == expected
