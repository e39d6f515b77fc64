"""Two executions of the saga for one order, and a request to cancel it, in every order of their calls to AWS.

Nothing is sampled: `tests.saga.explorer` visits every state that any interleaving of the actors' calls leads to, so a
switch from one to another lies between any two calls, within tasks and between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import pytest

from infra.local.emulator import Emulator
from tests.in_process import (
    Answer,
    Call,
    Fault,
    Functions,
    Items,
    Table,
    Trouble,
    functions,
    integration_event,
    sqs,
    submission,
)
from tests.saga.balance import End, log, settled, sound
from tests.saga.explorer import Actor, Content, Explorer, Saga, State, cancellation, executions

ORDER = "o1"
SHELF = {"apple": 10, "pear": 5, "plum": 3}
CONFIRMED = End("CONFIRMED")
REQUESTED = End("CANCELLED", "CancellationRequested")


@dataclass(frozen=True)
class Kind:
    """An order, how it ends where nobody cancels it, and how many SKUs go into a transaction."""

    order: Mapping[str, Any]
    end: End = CONFIRMED
    chunk: int = 99


def cancelled(reason: str) -> End:
    return End("CANCELLED", reason)


KINDS = {
    "approve": Kind({}),
    "decline": Kind({"token": "tok_decline"}, cancelled("PaymentDeclined")),
    "decline the capture": Kind({"token": "tok_decline_capture"}, cancelled("PaymentDeclined")),
    "gateway times out once": Kind({"token": "tok_timeout_once"}),
    "gateway's answers lost": Kind({"token": "tok_lost_answer"}),
    "gateway unreachable": Kind({"token": "tok_unreachable"}, cancelled("PaymentGatewayUnreachable")),
    "carrier rejects": Kind({"postal_code": "SBX-REJECT"}, cancelled("ShipmentRejected")),
    "carrier times out once": Kind({"postal_code": "SBX-TIMEOUT-ONCE"}),
    "carrier's answer lost": Kind({"postal_code": "SBX-LOST-ANSWER"}),
    "carrier unreachable": Kind({"postal_code": "SBX-UNREACHABLE"}, cancelled("CarrierUnreachable")),
    "out of stock": Kind({"lines": {"apple": 1, "pear": 6}}, cancelled("OutOfStock")),
    "total 0": Kind({"unit_price": 0}),
    "total 0, carrier rejects": Kind({"unit_price": 0, "postal_code": "SBX-REJECT"}, cancelled("ShipmentRejected")),
    # A transaction takes 99 SKUs; with 1, three SKUs are three chunks. Whole chunks are in tests/crash.
    "three chunks": Kind({"lines": {"apple": 2, "pear": 1, "plum": 3}}, chunk=1),
    "third chunk out of stock": Kind({"lines": {"apple": 2, "pear": 1, "plum": 4}}, cancelled("OutOfStock"), chunk=1),
}


@pytest.fixture(scope="module")
def table(emulator: Emulator) -> Table:
    return Table(emulator.client("dynamodb"), "interleavings")


@pytest.fixture(scope="module")
def loaded(emulator: Emulator, table: Table) -> Iterator[Functions]:
    with functions(emulator, {"TABLE_NAME": table.name}) as running:
        yield running


class Scene:
    """There is stock, and orders of one kind are placed. From here actors are explored."""

    def __init__(self, kind: Kind, loaded: Functions, table: Table, *order_ids: str) -> None:
        self.kind = kind
        self.functions = loaded
        self.table = table
        table.set({})
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in SHELF.items()]
        self._tell("delivery_intake", "StockDelivered", {"delivery_id": "d1", "lines": lines})
        for order_id in order_ids:
            self._tell("order_intake", "OrderSubmitted", submission(order_id, **kind.order))
        self.items = table.items()
        self._explorer = Explorer(loaded, table)
        self._settled: set[str] = set()

    def _tell(self, function: str, detail_type: str, detail: dict[str, Any]) -> None:
        assert self.functions.invoke(function, sqs(integration_event(detail_type, detail))) == {"batchItemFailures": []}

    def executions(self, *names: str) -> dict[str, Actor]:
        return executions(self.functions, ORDER, *names)

    @property
    def cancellation(self) -> dict[str, Actor]:
        return {"the customer": Actor(cancellation(self.functions, ORDER))}

    def ends(self, actors: Mapping[str, Actor], *, items: Items | None = None, kills: bool = False) -> list[State]:
        """Every way in which these actors end.

        Every end is held to the books, and to a further execution changing nothing.
        """
        with patch.object(self.functions.modules["handlers.inventory.reservation"], "CHUNK", self.kind.chunk):
            states = self._explorer.explore(items or self.items, actors, sound, kills=kills)
            for state in states:
                try:
                    _hold(state)
                except AssertionError as broken:
                    raise AssertionError(f"{broken}\nafter:\n{self._explorer.path(state)}") from broken
                if state.content.key not in self._settled:
                    self._settled.add(state.content.key)
                    self._changes_nothing(state.content)
        return states

    def _changes_nothing(self, content: Content) -> None:
        self.table.set(content.items)
        for stream in log(content.items):
            if stream.startswith("order#"):
                late = Saga(self.functions, stream.removeprefix("order#")).execution.run()
                assert late.status == "SUCCEEDED"
        assert self.table.items() == content.items


@pytest.fixture(params=KINDS, scope="module")
def scene(request: pytest.FixtureRequest, loaded: Functions, table: Table) -> Scene:
    """A scene of every kind; what one test found out about a kind the next one knows."""
    return Scene(KINDS[request.param], loaded, table, ORDER)


@pytest.fixture
def approved(loaded: Functions, table: Table) -> Scene:
    return Scene(KINDS["approve"], loaded, table, ORDER)


def _hold(state: State) -> None:
    for life in _sagas(state):
        confirmed = settled(state.content.items, life.order_id) == CONFIRMED
        outcome = life.execution.outcome
        assert outcome is not None
        assert outcome.status == "SUCCEEDED", outcome
        assert outcome.state in ({"Confirmed", "ConfirmOrder"} if confirmed else {"Cancelled", "CancelOrder"}), outcome


def _sagas(state: State) -> list[Saga]:
    return [actor.life for actor in state.actors if isinstance(actor.life, Saga)]


def _found(states: list[State]) -> set[End]:
    return {settled(state.content.items, ORDER) for state in states}


def test_one_execution_killed_anywhere_any_number_of_times_ends_in_one_state(scene: Scene) -> None:
    undisturbed = scene.ends(scene.executions("A"))
    killed = scene.ends(scene.executions("A"), kills=True)

    assert _found(undisturbed) == {scene.kind.end}
    assert {state.content.key for state in killed} == {state.content.key for state in undisturbed}


def test_two_actors_killed_anywhere_end_in_one_outcome(scene: Scene) -> None:
    assert _found(scene.ends(scene.executions("A", "B"), kills=True)) == {scene.kind.end}
    assert _found(scene.ends(scene.executions("A") | scene.cancellation, kills=True)) == {scene.kind.end, REQUESTED}


def test_two_executions_and_a_request_to_cancel_end_in_one_outcome(scene: Scene) -> None:
    # With kills too where all goes well; elsewhere they would take minutes.
    states = scene.ends(scene.executions("A", "B") | scene.cancellation, kills=not scene.kind.order)

    assert _found(states) == {scene.kind.end, REQUESTED}
    for state in states:
        confirmed = settled(state.content.items, ORDER) == CONFIRMED
        told = [stream for stream in log(state.content.items) if stream.startswith("rejection#")]
        assert len(told) == confirmed, "who asked too late is told so, and nobody else"


@pytest.mark.parametrize(
    ("sandbox", "reason"), [("payments", "PaymentGatewayUnreachable"), ("shipping", "CarrierUnreachable")]
)
def test_an_execution_that_gets_no_answers_cancels_only_what_is_not_captured(
    approved: Scene, sandbox: str, reason: str
) -> None:
    """What B hears of the outside service is nothing at all, until it has to undo."""
    a, b = approved.executions("A", "B").values()
    states = approved.ends({"A": a, "B": replace(b, cut_off=frozenset({sandbox}))})

    assert _found(states) == {CONFIRMED, cancelled(reason)}
    traces = {line for state in states for life in _sagas(state) for line in life.execution.trace}
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

    assert _found(approved.ends({"A": Actor(first), "B": second}, items=captured)) == {CONFIRMED}
    assert _found(approved.ends({"B": second}, items=captured)) == {CONFIRMED}


class NoAnswers:
    """A tap behind which the payment gateway is not there."""

    def __init__(self, loaded: Functions) -> None:
        self._unreachable = loaded.modules["handlers.refusals"].PaymentGatewayUnreachable

    def before(self, call: Call) -> None:
        if "sandbox#payments#" in call.key:
            raise self._unreachable("no answer")

    def after(self, call: Call, answer: Answer) -> None:
        """Other calls are answered."""


def test_who_turns_back_and_finds_the_payment_captured_confirms_even_alone(approved: Scene) -> None:
    first, second = Saga(approved.functions, ORDER), Saga(approved.functions, ORDER)
    with approved.functions.wire.tapped(NoAnswers(approved.functions)):
        while second.task != "StartCancellation":
            second = second.step()
    while first.task != "ConfirmOrder":
        first = first.step()

    second.execution.run()
    assert second.execution.trace[-2:] == ["StartCancellation: AlreadyCaptured", "ConfirmOrder"]
    assert settled(approved.table.items(), ORDER) == CONFIRMED


def test_two_orders_for_the_last_goods(loaded: Functions, table: Table) -> None:
    scene = Scene(Kind({"lines": {"apple": 6, "pear": 1}}), loaded, table, "o1", "o2")
    states = scene.ends(executions(loaded, "o1", "A") | executions(loaded, "o2", "B"))

    pairs = {tuple(settled(state.content.items, order_id) for order_id in ("o1", "o2")) for state in states}
    out_of_stock = cancelled("OutOfStock")
    assert pairs == {(CONFIRMED, out_of_stock), (out_of_stock, CONFIRMED)}


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.OUT_OF_REACH, Trouble.ANSWER_LOST])
@pytest.mark.parametrize("kind", ["approve", "carrier rejects"])
def test_our_own_trouble_changes_no_outcome(loaded: Functions, table: Table, kind: str, trouble: Trouble) -> None:
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

        assert [line.partition(": ")[2] for line in execution.trace].count("Throttled") == 1
        assert settled(table.items(), ORDER) == scene.kind.end
        assert Content(table.items()).key == expected
