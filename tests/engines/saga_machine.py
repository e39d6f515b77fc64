"""Runs the sagas in-process, one task attempt at a time and without waiting, so that tests can interleave executions.

How it works: an interpreter of as much of the Amazon States Language as the sagas use; it refuses the rest, so it
cannot drift from the definition unnoticed. tests/statemachine runs the same cases through it and through the emulator.

Its limits: no time passes, so a backoff is a count of attempts and no task times out.
"""

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from infra.constructs.express_saga import START_EXECUTION, express_lane
from infra.function_spec import Tasks
from infra.functions import FUNCTIONS

FOLDER = Path(__file__).parents[2] / "statemachines"
MACHINES = ("order_saga", "order_cancellation")
"""The Standard workflows; they are files."""
EXPRESS = "order_saga_express"
"""The express lane of the order saga."""
SERVICES = {f"${{{function.placeholder}}}": function.key for function in FUNCTIONS if function.trigger == Tasks()}

Definition = Mapping[str, Any]
Invoke = Callable[[str, dict[str, Any]], object]

_FIELDS = {
    "machine": {"Comment", "StartAt", "States"},
    "Task": {
        *("Comment", "Type", "Resource", "Parameters", "ResultPath", "TimeoutSeconds"),
        *("Retry", "Catch", "Next", "End"),
    },
    "Succeed": {"Comment", "Type"},
    "Retry": {"ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "MaxAttempts"},
    "Catch": {"ErrorEquals", "ResultPath", "Next"},
}
_ALL = ["States.ALL"]
_PATH = re.compile(r"\$((?:\.\w+)+)")


class UnknownLanguage(Exception):
    """The definition uses what this interpreter does not know."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: in which state, and with which error if it failed."""

    status: Literal["SUCCEEDED", "FAILED"]
    state: str
    error: str | None = None


def source(machine: str) -> str:
    """The text of a definition that is deployed, its placeholders not filled."""
    return (FOLDER / f"{machine}.asl.json").read_text(encoding="utf-8")


def definition(machine: str) -> dict[str, Any]:
    """A definition that is deployed, its placeholders not filled."""
    if machine == EXPRESS:
        return express_lane(order_saga())
    read: dict[str, Any] = json.loads(source(machine))
    return read


def order_saga() -> dict[str, Any]:
    """The definition of the order saga."""
    return definition("order_saga")


class Execution:
    """One execution for an order.

    `invoke` takes the place of Lambda: it is called with the key of a service's function and the task's payload, or
    with START_EXECUTION and what to start. Its result is dropped. An exception is the task's error, known to the
    definition by the name of its class.

    `outcome` is None while it runs. `trace` has a line for each attempt at a task, and for each other state entered:
    the name of the state, with ": " and the error where the attempt failed.

    Raises UnknownLanguage where the definition has what is not known here.
    """

    def __init__(self, definition: Definition, order_id: str, invoke: Invoke) -> None:
        _check(definition)
        self.data: dict[str, Any] = {"order_id": order_id}
        self.trace: list[str] = []
        self.outcome: Outcome | None = None
        self._states: Mapping[str, Any] = definition["States"]
        self._invoke = invoke
        self._enter(definition["StartAt"])

    @property
    def state(self) -> str:
        """The state it is in."""
        return self._state

    @property
    def progress(self) -> str:
        """The same for executions that go on alike, whatever way they came."""
        return json.dumps([self._state, self._retries, self.data, self.outcome], default=str)

    @property
    def done(self) -> bool:
        """It has ended, well or not."""
        return self.outcome is not None

    def step(self) -> None:
        """Make one attempt at the task at hand; nothing once the execution is done."""
        if self.done:
            return
        task = self._states[self._state]
        payload = self._value("Parameters", task["Parameters"])
        try:
            self._invoke(SERVICES.get(task["Resource"], START_EXECUTION), payload)
        except Exception as problem:
            self._failed(task, problem)
        else:
            self.trace.append(self._state)
            self._leave(task)

    def run(self) -> Outcome:
        """Step to the end."""
        while self.outcome is None:
            self.step()
        return self.outcome

    def _enter(self, name: str) -> None:
        self._state = name
        self._retries: dict[int, int] = {}
        if self._states[name]["Type"] == "Succeed":
            self.trace.append(name)
            self.outcome = Outcome("SUCCEEDED", name)

    def _leave(self, task: Mapping[str, Any]) -> None:
        if task.get("End"):
            self.outcome = Outcome("SUCCEEDED", self._state)
        else:
            self._enter(task["Next"])

    def _failed(self, task: Mapping[str, Any], problem: Exception) -> None:
        error = type(problem).__name__
        self.trace.append(f"{self._state}: {error}")
        # The first retrier that names the error decides.
        for number, retrier in enumerate(task.get("Retry", [])):
            if _names(retrier, error):
                used = self._retries.get(number, 0)
                if used < retrier["MaxAttempts"]:
                    self._retries[number] = used + 1
                    return
                break
        for catcher in task.get("Catch", []):
            if _names(catcher, error):
                cause = json.dumps({"errorType": error, "errorMessage": str(problem)})
                self.data[catcher["ResultPath"].removeprefix("$.")] = {"Error": error, "Cause": cause}
                self._enter(catcher["Next"])
                return
        self.outcome = Outcome("FAILED", self._state, error)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {each.removesuffix(".$"): self._value(each, inner) for each, inner in value.items()}
        if not name.endswith(".$"):
            return value
        found: Any = self.data
        for part in _path(value):
            found = found[part]
        return copy.deepcopy(found)


def _names(entry: Mapping[str, Any], error: str) -> bool:
    return entry["ErrorEquals"] == _ALL or error in entry["ErrorEquals"]


def _path(path: str) -> list[str]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise UnknownLanguage(f"the path {path}")
    return match[1].split(".")[1:]


def _check(definition: Definition) -> None:
    _known(definition, "machine", "the state machine")
    for name, state in definition["States"].items():
        if state["Type"] not in ("Task", "Succeed"):
            raise UnknownLanguage(f"the type {state['Type']} of {name}")
        _known(state, state["Type"], name)
        if state["Type"] == "Task":
            _check_task(name, state)


def _check_task(name: str, task: Mapping[str, Any]) -> None:
    if task["Resource"] not in {*SERVICES, START_EXECUTION}:
        raise UnknownLanguage(f"{name} calls {task['Resource']}, which is no function of ours")
    if task.get("ResultPath", "$") is not None:
        raise UnknownLanguage(f"{name} keeps its result")
    _check_parameters(name, task["Parameters"])
    for kind in ("Retry", "Catch"):
        for number, entry in enumerate(task.get(kind, []), start=1):
            _known(entry, kind, f"{kind} of {name}")
            if entry["ErrorEquals"] == _ALL and number == len(task[kind]):
                continue
            for error in entry["ErrorEquals"]:
                if error.startswith("States.") and error != "States.Timeout":
                    raise UnknownLanguage(f"{kind} of {name} names {error}")
    for catcher in task.get("Catch", []):
        if len(_path(catcher["ResultPath"])) != 1:
            raise UnknownLanguage(f"Catch of {name} writes to {catcher['ResultPath']}")


def _check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    for parameter, value in parameters.items():
        if parameter.endswith(".$"):
            _path(value)
        elif isinstance(value, dict):
            _check_parameters(name, value)
        elif not isinstance(value, str):
            raise UnknownLanguage(f"{name} sends {parameter}, which is neither a string nor an object")


def _known(value: Mapping[str, Any], kind: str, where: str) -> None:
    if unknown := value.keys() - _FIELDS[kind]:
        raise UnknownLanguage(f"{where} has {', '.join(sorted(unknown))}")
