"""What holds for the sagas' definitions as texts: no machine runs here."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest

from handlers.inventory import refusals as inventory_refusals
from handlers.ordering import refusals as ordering_refusals
from handlers.payments import refusals as payments_refusals
from handlers.retry_policy import Contended, Throttled, Unreachable
from handlers.shipping import refusals as shipping_refusals
from infra.functions import FUNCTIONS
from tests.engines.saga_machine import MACHINES, SERVICES, definition, source
from tests.statemachine.cases import COMPENSATIONS, FORWARD, OWN_TROUBLE, RECALL

STATES: dict[str, dict[str, dict[str, Any]]] = {machine: definition(machine)["States"] for machine in MACHINES}
TASKS = {
    (machine, name): state for machine in MACHINES for name, state in STATES[machine].items() if state["Type"] == "Task"
}
ATTEMPT_EVENTS = 3  # a function is scheduled, started, and fails
HISTORY_LIMIT = 25_000


def named(kind: str) -> Iterator[str]:
    """Every error that a Retry or a Catch names."""
    return (error for task in TASKS.values() for entry in task.get(kind, []) for error in entry["ErrorEquals"])


@pytest.mark.parametrize(("machine", "expected"), [("order_saga", FORWARD), ("order_cancellation", RECALL)])
def test_where_all_is_well_these_states_are_entered_and_no_more(machine: str, expected: list[str]) -> None:
    path, state = [], definition(machine)["StartAt"]
    while state:
        path.append(state)
        state = STATES[machine][state].get("Next")
    assert path == expected


@pytest.mark.parametrize("name", TASKS, ids=lambda name: name[1])
def test_own_trouble_is_retried_for_hours_by_every_task(name: tuple[str, str]) -> None:
    [retrier] = [one for one in TASKS[name]["Retry"] if "Throttled" in one["ErrorEquals"]]
    assert set(OWN_TROUBLE) <= set(retrier["ErrorEquals"])
    assert retrier["JitterStrategy"] == "FULL"  # which halves the waits
    assert sum(waits(retrier)) / 2 > 10 * 3600


@pytest.mark.parametrize("name", ["AuthorizePayment", "ArrangeShipment", "CapturePayment"])
def test_the_outside_has_a_minute_on_the_way_forward(name: str) -> None:
    retriers = STATES["order_saga"][name]["Retry"]
    [retrier] = [one for one in retriers if one["ErrorEquals"][0].endswith("Unreachable")]
    assert sum(waits(retrier)) == pytest.approx(60, abs=5)


def waits(retrier: dict[str, Any]) -> list[float]:
    """The seconds before each retry, without jitter."""
    longest = retrier.get("MaxDelaySeconds", float("inf"))
    growing = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"]))
    return [min(wait, longest) for wait in growing]


def test_what_cannot_be_undone_stands_still_at_its_task() -> None:
    assert not any("Catch" in STATES["order_saga"][name] for name in COMPENSATIONS)
    assert not any("Catch" in STATES["order_cancellation"][name] for name in [*RECALL[1:], "RefuseCancellation"])


def test_what_both_sagas_do_they_try_alike() -> None:
    for name in set(COMPENSATIONS) & set(RECALL):
        assert STATES["order_saga"][name]["Retry"] == STATES["order_cancellation"][name]["Retry"]
    assert STATES["order_saga"]["CancelShipment"]["Retry"] == STATES["order_cancellation"]["RecallShipment"]["Retry"]


def test_no_error_is_caught_or_retried_unnamed() -> None:
    assert {error for kind in ("Retry", "Catch") for error in named(kind) if error.startswith("States.")} == {
        "States.Timeout"
    }


def test_every_refusal_is_caught_somewhere_but_an_unknown_order_and_one_that_cannot_be_recalled() -> None:
    contexts = (ordering_refusals, inventory_refusals, payments_refusals, shipping_refusals)
    defined = {name for each in contexts for name, _ in inspect.getmembers(each, inspect.isclass)}
    assert set(named("Catch")) == defined - {"OrderNotFound", "OrderNotConfirmed"}
    assert set(named("Retry")) - set(OWN_TROUBLE) < defined
    assert {error.__name__ for error in (Throttled, Contended, Unreachable)} < set(OWN_TROUBLE)


def test_a_task_outlives_its_function() -> None:
    timeouts = {function.key: function.timeout for function in FUNCTIONS}
    for task in TASKS.values():
        assert task["TimeoutSeconds"] > timeouts[SERVICES[task["Resource"]]]


def test_results_are_dropped_and_the_refusal_kept() -> None:
    for task in TASKS.values():
        assert task["ResultPath"] is None
        assert all(catcher["ResultPath"] == "$.refusal" for catcher in task.get("Catch", []))


def test_retries_fit_into_a_history() -> None:
    for machine in MACHINES:
        tasks = [task for (of, _), task in TASKS.items() if of == machine]
        attempts = [1 + sum(retrier["MaxAttempts"] for retrier in task["Retry"]) for task in tasks]
        assert sum(attempts) * ATTEMPT_EVENTS < HISTORY_LIMIT


@pytest.mark.parametrize("machine", MACHINES)
def test_no_name_stands_twice_in_an_object(machine: str) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads(source(machine), object_pairs_hook=unique)
