"""Submissions of one order at once, and a cancellation that says why: the log and the vault agree at every moment.

As in `tests.saga.test_interleavings`, every order of the actors' calls to AWS is explored.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.shops import own_id
from tests.builders.orders import submitted_order
from tests.engines.explorer import Actor, Awaited, Saga, State, cancellation, cancellations, submitted
from tests.engines.in_process import Functions
from tests.engines.table import Item, Table
from tests.saga.balance import log, vault
from tests.saga.scene import CONFIRMED, ORDER, REQUESTED, Kind, Scene, found

PLACED = Awaited(f"order#{ORDER}", 1, "OrderPlaced")
FIRST = submitted_order(own_id(ORDER))
OTHER = {**FIRST, "customer": {"customer_id": "c2", "email": "other@example.com"}, "payment_token": "tok_other"}
WHY = "my sister Byron moved"


@pytest.fixture
def scene(loaded: Functions, table: Table) -> Scene:
    """Nothing is placed yet."""
    return Scene(Kind({}), loaded, table)


def deliveries(scene: Scene, *orders: dict[str, Any]) -> dict[str, Actor]:
    """Deliveries of these submissions, under way at once."""
    messages = [submitted(scene.functions, order, receives) for receives, order in enumerate(orders)]
    return {f"delivery {number}": Actor(message) for number, message in enumerate(messages, start=1)}


def saga(scene: Scene) -> dict[str, Actor]:
    """The execution that begins once the order is placed."""
    return {"A": Actor(Saga(scene.functions, ORDER), after=PLACED)}


def rejections(state: State) -> list[str]:
    return [stream for stream in log(state.content.items) if stream.startswith("rejection#")]


def the_person(state: State) -> tuple[str, Item]:
    """The only item in the vault: the partition it is in, and the item. No token is left of whoever came too late."""
    [((partition, _), item)] = vault(state.content.items).items()
    return partition, item


@pytest.mark.parametrize("times", [2, 3])
def test_deliveries_of_a_submission_at_once_place_one_order_with_one_person(scene: Scene, times: int) -> None:
    states = scene.ends(deliveries(scene, *[FIRST] * times) | saga(scene))

    assert found(states) == {CONFIRMED}
    for state in states:
        assert rejections(state) == []
        assert the_person(state)[0] == "order-vault/demo#c1"


def test_of_two_submissions_under_an_id_at_once_the_order_has_the_person_and_the_token_of_one(scene: Scene) -> None:
    states = scene.ends(deliveries(scene, FIRST, OTHER, FIRST) | saga(scene))

    assert found(states) == {CONFIRMED}
    assert {len(rejections(state)) for state in states} == {1}
    emails = {partition: json.loads(item["person"]["S"])["email"] for partition, item in map(the_person, states)}
    assert emails == {"order-vault/demo#c1": "buyer@example.com", "order-vault/demo#c2": "other@example.com"}


def test_why_a_customer_cancels_ends_in_the_vault_and_in_no_event(loaded: Functions, table: Table) -> None:
    scene = Scene(Kind({}), loaded, table, ORDER)
    customers = {name: Actor(cancellation(loaded, ORDER, reason=WHY)) for name in ("the customer", "the same again")}
    actors = scene.executions("A") | customers | cancellations(loaded, ORDER, "C")

    states = scene.ends(actors, kills=True)

    assert found(states) == {REQUESTED}
    for state in states:
        assert the_person(state)[1]["cancellation_reason"] == {"S": WHY}
        assert WHY not in str(log(state.content.items))
