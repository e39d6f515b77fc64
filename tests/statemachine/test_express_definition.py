"""The express lane agrees with the saga that it is derived from, hands over the rest, and cannot outlive its time."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.constructs.express_saga import ALREADY_STARTED, HAND_OVER, HANDED_OVER, START_EXECUTION
from tests.engines.saga_machine import EXPRESS, definition, order_saga
from tests.statemachine.cases import FORWARD

SAGA: dict[str, dict[str, Any]] = order_saga()["States"]
LANE: dict[str, dict[str, Any]] = definition(EXPRESS)["States"]
LONGEST_SECONDS = 240
"""An execution ends by itself after 300, which cannot be caught."""


def errors(task: dict[str, Any], kind: str) -> set[str]:
    return {error for entry in task.get(kind, []) for error in entry["ErrorEquals"]}


def follows(task: dict[str, Any], error: str) -> str:
    """The state after an error that is not retried."""
    return next(str(entry["Next"]) for entry in task["Catch"] if {error, "States.ALL"} & set(entry["ErrorEquals"]))


@pytest.mark.parametrize("name", FORWARD)
def test_a_step_forward_is_the_same_in_either_lane(name: str) -> None:
    ours, theirs = LANE[name], SAGA[name]
    for field in ("Type", "Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Next", "End"):
        assert ours.get(field) == theirs.get(field), field
    assert errors(ours, "Retry") == errors(theirs, "Retry")
    assert errors(ours, "Catch") == errors(theirs, "Catch") | {"States.ALL"}


def test_there_is_no_other_step() -> None:
    assert definition(EXPRESS)["StartAt"] == order_saga()["StartAt"] == FORWARD[0]
    assert [name for name, state in LANE.items() if state["Type"] == "Task"] == [*FORWARD, HAND_OVER]
    assert {name for name, state in LANE.items() if state["Type"] == "Succeed"} == {
        *("Confirmed", "Cancelled", HANDED_OVER)
    }


@pytest.mark.parametrize("name", FORWARD)
def test_what_has_its_outcome_is_done_and_all_else_is_handed_over(name: str) -> None:
    done = {"AlreadyConfirmed": "Confirmed", "AlreadyCancelled": "Cancelled"}
    for error in errors(SAGA[name], "Catch") | errors(SAGA[name], "Retry") | {"KeyError", "States.Timeout"}:
        assert follows(LANE[name], error) == done.get(error, HAND_OVER)


def test_a_hand_over_starts_the_saga_under_the_orders_id() -> None:
    task = LANE[HAND_OVER]
    assert task["Resource"] == START_EXECUTION
    assert task["Parameters"] == {
        "StateMachineArn": "${OrderSagaArn}",
        "Name.$": "$.order_id",
        "Input": {"order_id.$": "$.order_id"},
    }
    assert follows(task, ALREADY_STARTED) == task["Next"] == HANDED_OVER
    retrier = next(entry for entry in task["Retry"] if ALREADY_STARTED in entry["ErrorEquals"])
    assert retrier["MaxAttempts"] == 0


def waits(retrier: dict[str, Any]) -> Iterator[float]:
    """The longest seconds before each retry."""
    for attempt in range(retrier["MaxAttempts"]):
        yield retrier["IntervalSeconds"] * retrier.get("BackoffRate", 2.0) ** attempt


def longest(task: dict[str, Any]) -> float:
    """The seconds that a task may take: each attempt until its timeout, and the waits between them."""
    pauses = [wait for retrier in task["Retry"] for wait in waits(retrier)]
    return (1 + len(pauses)) * float(task["TimeoutSeconds"]) + sum(pauses)


def test_at_its_slowest_it_has_handed_over_before_its_time_is_up() -> None:
    assert sum(longest(LANE[name]) for name in [*FORWARD, HAND_OVER]) < LONGEST_SECONDS
