"""Runs the definitions of what operators start, the rebuild and the erasure, in-process and without waiting.

How it works: an interpreter of as much of the Amazon States Language as they use; it refuses the rest, so it cannot
drift from the definitions unnoticed.

Its limits: nothing is retried, no time passes, and the items of a map are processed one after the other.
"""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.engines.saga_machine import UnknownLanguage, definition

Step = Callable[[dict[str, Any]], Any]
"""Takes the place of the function: called with a task's payload, it returns the result or raises the error."""

EXECUTION = "execution-1"
"""The name of every execution."""

_FIELDS = {
    "Task": {"Comment", "Type", "Resource", "Parameters", "ResultPath", "TimeoutSeconds", "Retry", "Next"},
    "Wait": {"Comment", "Type", "Seconds", "SecondsPath", "Next"},
    "Choice": {"Comment", "Type", "Choices", "Default"},
    "Pass": {"Comment", "Type", "Parameters", "OutputPath", "End"},
    "Map": {"Comment", "Type", "ItemsPath", "ItemSelector", "MaxConcurrency", "ItemProcessor", "ResultPath", "Next"},
}


class Machine:
    """One execution. ``trace`` are the states entered, in maps too. An error of a task ends it: nothing is retried.

    Maps go through their items one after the other.
    """

    def __init__(self, step: Step, machine: str = "rebuild_projection") -> None:
        self.trace: list[str] = []
        self._step = step
        self._machine = machine

    def run(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Run to the end; returns the output.

        Raises UnknownLanguage where the definition has what is not known here, and what a task raises.
        """
        output: dict[str, Any] = self._run(definition(self._machine), copy.deepcopy(dict(wanted)), {})
        return output

    def _run(self, machine: Mapping[str, Any], data: Any, item: Mapping[str, Any]) -> Any:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            if unknown := state.keys() - _FIELDS[state["Type"]]:
                raise UnknownLanguage(f"{name} has {', '.join(sorted(unknown))}")
            self.trace.append(name)
            match state["Type"]:
                case "Task":
                    # Lambda's payloads and answers are JSON.
                    payload = json.loads(json.dumps(_filled(state["Parameters"], data, item)))
                    data = _with(data, state, json.loads(json.dumps(self._step(payload))))
                case "Wait":
                    seconds = _at(data, state["SecondsPath"], item) if "SecondsPath" in state else state["Seconds"]
                    assert seconds >= 0
                case "Choice":
                    name = next((rule["Next"] for rule in state["Choices"] if _chosen(rule, data)), state["Default"])
                    continue
                case "Map":
                    results = [
                        self._run(state["ItemProcessor"], _filled(state["ItemSelector"], data, {"Value": each}), {})
                        for each in _at(data, state["ItemsPath"], item)
                    ]
                    data = _with(data, state, results)
                case "Pass":
                    data = _filled(state["Parameters"], data, item) if "Parameters" in state else data
                    data = _at(data, state.get("OutputPath", "$"), item)
            if state.get("End"):
                return data
            name = state["Next"]


def _chosen(rule: Mapping[str, Any], data: Any) -> bool:
    if rule.keys() != {"Variable", "BooleanEquals", "Next"}:
        raise UnknownLanguage(f"the choice {rule}")
    return bool(_at(data, rule["Variable"], {}) is rule["BooleanEquals"])


def _with(data: Any, state: Mapping[str, Any], result: Any) -> Any:
    match state.get("ResultPath", "$"):
        case None:
            return data
        case "$":
            return result
        case str(path) if path.startswith("$.") and "." not in path[2:]:
            return {**data, path[2:]: result}
    raise UnknownLanguage(f"the result path {state['ResultPath']}")


def _filled(parameters: Mapping[str, Any], data: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removesuffix(".$"): _at(data, value, item) if name.endswith(".$") else value
        for name, value in parameters.items()
    }


def _at(data: Any, path: str, item: Mapping[str, Any]) -> Any:
    if path == "$$.Map.Item.Value":
        return copy.deepcopy(item["Value"])
    if path == "$$.Execution.Name":
        return EXECUTION
    for part in path.removeprefix("$").split(".")[1:]:
        data = data[part]
    return copy.deepcopy(data)
