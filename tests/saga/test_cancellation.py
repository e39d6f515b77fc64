"""A request to cancel an order, before the order is there and after it is confirmed, while its parcel is on the way.

As in `tests.saga.test_interleavings`, every order of the actors' calls to AWS is explored.
"""

from __future__ import annotations

import pytest

from events.shops import own_id
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from tests.builders.orders import submitted_order
from tests.engines.explorer import (
    Actor,
    Awaited,
    Collection,
    Message,
    Saga,
    State,
    cancellation,
    cancellations,
    dispatched,
    report,
    submitted,
)
from tests.engines.in_process import Functions
from tests.engines.table import Items, Table
from tests.saga.balance import End, log, settled
from tests.saga.scene import CONFIRMED, ORDER, REQUESTED, Kind, Scene, found, sagas

PLACED = Awaited(f"order#{ORDER}", 1, "OrderPlaced")
OUTCOME = Awaited(f"order#{ORDER}", 2, "OrderConfirmed")
DISPATCHED = Awaited(f"shipment#{ORDER}", 2, "ShipmentDispatched")


def scene_of(loaded: Functions, table: Table, **order: str) -> Scene:
    return Scene(Kind(order), loaded, table, ORDER)


@pytest.fixture(scope="module")
def scene(loaded: Functions, table: Table) -> Scene:
    return scene_of(loaded, table)


def confirmed(scene: Scene) -> Items:
    """The scene once the order is confirmed."""
    scene.table.set(scene.items)
    Saga(scene.functions, ORDER).execution.run()
    return scene.table.items()


def reports(scene: Scene, *statuses: str) -> dict[str, Actor]:
    """Reports of a carrier."""
    return {f"report {n}, {status}": Actor(report(scene.functions, ORDER, status)) for n, status in enumerate(statuses)}


def shipping(scene: Scene) -> dict[str, Actor]:
    """Who ships stock once the shipment is dispatched."""
    return {"the warehouse": Actor(dispatched(scene.functions, ORDER), after=DISPATCHED)}


def types_in(state: State, kind: str) -> list[str]:
    return [event_type for event_type, _ in log(state.content.items)[f"{kind}#{ORDER}"]]


def agree(states: list[State]) -> None:
    """A parcel is with the customer who pays for it, and goods leave the warehouse with it or not at all."""
    for state in states:
        kept = settled(state.content.items, ORDER) == CONFIRMED
        assert ("ShipmentDispatched" in types_in(state, "shipment")) == kept, types_in(state, "shipment")
        assert ("StockShipped" in types_in(state, "reservation")) == kept, types_in(state, "reservation")
        refused = ["CancellationRequested", "OrderCancellationRefused"] if kept else ["CancellationRequested"]
        assert types_in(state, "cancellation") in ([], refused)


def test_a_request_that_comes_before_its_order_is_tried_again(loaded: Functions, table: Table) -> None:
    scene = Scene(Kind({}), loaded, table)
    customer = {"the customer": Actor(cancellation(loaded, ORDER))}
    shop = {"the shop": Actor(submitted(loaded, submitted_order(own_id(ORDER))))}
    saga = {"A": Actor(Saga(loaded, ORDER), after=PLACED)}

    states = scene.ends(shop | customer | saga | cancellations(loaded, ORDER, "C"))

    assert found(states) == {CONFIRMED, REQUESTED}
    for state in states:
        message = state.actors[1].process
        assert isinstance(message, Message)
        assert message.done
        if settled(state.content.items, ORDER) == CONFIRMED:
            assert message.receives == MAX_RECEIVE_COUNT, "it was not given up before"
            assert types_in(state, "cancellation") == []
            assert types_in(state, "unknown-order") == ["UnknownOrderCancellationRefused"]
        else:
            assert types_in(state, "unknown-order") == []


@pytest.mark.parametrize("sagas", ["C", "CD"])
def test_the_carrier_is_quicker_or_the_customer(scene: Scene, sagas: str) -> None:
    actors = {"the customer": Actor(cancellation(scene.functions, ORDER))}
    actors |= cancellations(scene.functions, ORDER, *sagas)
    actors |= {"the carrier": Actor(Collection(scene.functions, ORDER))} | shipping(scene)

    states = scene.ends(actors, items=confirmed(scene), kills=True)

    assert found(states) == {CONFIRMED, REQUESTED}
    agree(states)


def test_reports_race_each_other_and_a_recall(scene: Scene) -> None:
    """Though the carrier confirmed the recall: its report is believed, since the parcel is then gone."""
    actors = {"the customer": Actor(cancellation(scene.functions, ORDER))} | cancellations(scene.functions, ORDER, "C")
    actors |= reports(scene, "dispatched", "delivered") | shipping(scene)

    states = scene.ends(actors, items=confirmed(scene), kills=True)

    assert found(states) == {CONFIRMED, REQUESTED}
    agree(states)
    assert {len(types_in(state, "shipment")) for state in states} == {2, 3}


def test_reports_at_every_moment_of_an_order_and_its_cancellation(scene: Scene) -> None:
    actors = scene.executions("A") | scene.cancellation | reports(scene, "dispatched") | shipping(scene)

    assert found(scene.ends(actors)) == {CONFIRMED, REQUESTED}


def test_two_executions_of_the_order_saga_a_recall_and_a_collection(scene: Scene) -> None:
    """A second execution that is late finds the order being recalled, or its parcel gone, at every one of its steps."""
    actors = scene.executions("A", "B") | scene.cancellation
    actors |= {"the carrier": Actor(Collection(scene.functions, ORDER), after=OUTCOME)} | shipping(scene)

    states = scene.ends(actors)

    assert found(states) == {CONFIRMED, REQUESTED}


@pytest.mark.parametrize("cut_off", ["payments", "shipping"])
def test_a_second_execution_without_answers_undoes_nothing_of_a_confirmed_order(scene: Scene, cut_off: str) -> None:
    """It goes by the log alone, which has dispatch, recall and refund by then."""
    scene.table.set(scene.items)
    first = Saga(scene.functions, ORDER)
    while first.task != "ConfirmOrder":
        first = first.step()
    captured = scene.table.items()
    actors = {"A": Actor(first), "B": Actor(Saga(scene.functions, ORDER), cut_off=frozenset({cut_off}))}
    actors |= {"the carrier": Actor(Collection(scene.functions, ORDER), after=OUTCOME)} | scene.cancellation

    assert found(scene.ends(actors, items=captured)) == {CONFIRMED, REQUESTED}


def test_a_carrier_that_has_collected_reports_it(loaded: Functions, table: Table) -> None:
    scene = scene_of(loaded, table, postal_code="SBX-COLLECTED")
    actors = {"the customer": Actor(cancellation(loaded, ORDER))} | cancellations(loaded, ORDER, "C", "D")

    states = scene.ends(actors | reports(scene, "delivered") | shipping(scene), items=confirmed(scene), kills=True)

    assert found(states) == {CONFIRMED}
    agree(states)


def test_a_delivered_order_is_not_cancelled(scene: Scene) -> None:
    states = scene.ends(reports(scene, "dispatched", "delivered", "delivered", "dispatched"), items=confirmed(scene))
    [delivered] = {state.content.key: state.content.items for state in states}.values()
    actors = {"the customer": Actor(cancellation(scene.functions, ORDER))} | cancellations(scene.functions, ORDER, "C")

    states = scene.ends(actors | shipping(scene), items=delivered, kills=True)

    assert found(states) == {CONFIRMED}
    assert {tuple(types_in(state, "cancellation")) for state in states} == {
        ("CancellationRequested", "OrderCancellationRefused")
    }


def test_started_by_hand_it_cancels_what_is_confirmed_and_nothing_else(scene: Scene) -> None:
    by_hand = {"C": Actor(Saga(scene.functions, ORDER, "order_cancellation"))}

    ends: set[tuple[End, str]] = set()
    for state in scene.ends(scene.executions("A") | by_hand):
        [_, cancelling] = sagas(state)
        assert cancelling.execution.outcome is not None
        ends.add((settled(state.content.items, ORDER), cancelling.execution.outcome.error or "none"))
        assert types_in(state, "cancellation") == [], "no cancellation was requested"

    assert ends == {(CONFIRMED, "OrderNotConfirmed"), (REQUESTED, "none")}
