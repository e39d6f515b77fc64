"""The express lane: the forward steps of the order saga as an Express workflow, derived from the saga's definition.

It takes an order that nothing stands in the way of to its confirmation, for less than the Standard saga costs. Whatever
else happens, it starts the Standard saga, which finds its way by the log.

An Express execution ends after five minutes, and nothing catches that. So a step is retried once, and soon: what takes
longer than that is for the Standard saga. Nor does ``States.ALL`` catch ``States.Runtime`` and
``States.DataLimitExceeded``. An order that is left like that stands still, until the sweep starts its saga.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Definition = Mapping[str, Any]

HAND_OVER, HANDED_OVER = "HandOver", "HandedOver"
SAGA_PLACEHOLDER = "OrderSagaArn"
"""What stands in the definition for the alias of the Standard saga."""

START_EXECUTION = "arn:aws:states:::states:startExecution"
ALREADY_STARTED = "StepFunctions.ExecutionAlreadyExistsException"
"""An execution of that name is there, or was within 90 days: by an earlier hand-over, or by who looks for stalled
orders."""


def express_lane(saga: Definition) -> dict[str, Any]:
    """The definition of the express lane of a saga, its placeholders not filled."""
    states: Mapping[str, Any] = saga["States"]
    ends = {name: state for name, state in states.items() if state["Type"] == "Succeed"}
    return {
        "Comment": "The way forward of the order saga, which is started for all that does not go well.",
        "StartAt": saga["StartAt"],
        "States": {name: _hasty(states[name], ends) for name in _forward(saga)}
        | ends
        | {HAND_OVER: _HAND_OVER, HANDED_OVER: {"Type": "Succeed"}},
    }


def _forward(saga: Definition) -> Iterator[str]:
    """The states that are entered where all goes well."""
    name: str | None = saga["StartAt"]
    while name:
        yield name
        name = saga["States"][name].get("Next")


def _hasty(task: Mapping[str, Any], ends: Mapping[str, Any]) -> dict[str, Any]:
    """A task with one retry, which hands over whatever does not say that the order has had its outcome."""
    retried = [error for retrier in task["Retry"] for error in retrier["ErrorEquals"]]
    caught = [
        catcher if catcher["Next"] in ends else {**catcher, "Next": HAND_OVER} for catcher in task.get("Catch", [])
    ]
    return {
        **{name: value for name, value in task.items() if name != "Comment"},
        "Retry": [{"ErrorEquals": retried, "IntervalSeconds": 3, "MaxAttempts": 1, "JitterStrategy": "FULL"}],
        "Catch": [*caught, {"ErrorEquals": ["States.ALL"], "ResultPath": "$.refusal", "Next": HAND_OVER}],
    }


_HAND_OVER = {
    "Comment": "The order's id is the name of the execution, so that one is started, however often this runs.",
    "Type": "Task",
    "Resource": START_EXECUTION,
    "Parameters": {
        "StateMachineArn": f"${{{SAGA_PLACEHOLDER}}}",
        "Name.$": "$.order_id",
        "Input": {"order_id.$": "$.order_id"},
    },
    "ResultPath": None,
    "TimeoutSeconds": 10,
    "Retry": [
        {"ErrorEquals": [ALREADY_STARTED], "MaxAttempts": 0},
        {
            "ErrorEquals": ["States.ALL"],
            "IntervalSeconds": 2,
            "BackoffRate": 2.0,
            "MaxAttempts": 3,
            "JitterStrategy": "FULL",
        },
    ],
    "Catch": [{"ErrorEquals": [ALREADY_STARTED], "ResultPath": "$.refusal", "Next": HANDED_OVER}],
    "Next": HANDED_OVER,
}
