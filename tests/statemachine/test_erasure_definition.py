"""The erasure's definition: as a text, and the paths through it with a step whose answers are scripted."""

import json
from typing import Any

import pytest

from infra.functions import FUNCTIONS
from tests.engines.rebuild_machine import EXECUTION, Machine
from tests.engines.saga_machine import definition, source
from tests.statemachine.cases import OWN_TROUBLE

[ERASURE] = [function for function in FUNCTIONS if function.key == "erasure"]
[TASK] = [state for state in definition("erasure")["States"].values() if state["Type"] == "Task"]
WANTED = {"customer_id": "demo.c1", "operator": "arn"}


def test_a_fault_of_ours_is_retried_for_hours_and_a_bug_ends_it_at_once() -> None:
    [retrier] = TASK["Retry"]
    assert set(retrier["ErrorEquals"]) == set(OWN_TROUBLE)
    waits = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"]))
    assert sum(min(wait, retrier["MaxDelaySeconds"]) for wait in waits) / 2 > 10 * 3600
    assert "Catch" not in TASK


def test_its_task_outlives_its_function() -> None:
    assert TASK["TimeoutSeconds"] > ERASURE.timeout


def test_no_name_occurs_twice_in_an_object() -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads(source("erasure"), object_pairs_hook=unique)


class Calls:
    """Answers calls, one after the other; an error is raised."""

    def __init__(self, *answers: Any) -> None:
        self.received: list[Any] = []
        self._answers = list(answers)

    def __call__(self, payload: dict[str, Any]) -> Any:
        assert payload["execution"] == EXECUTION
        self.received.append(payload["progress"])
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def progress(at: int, *, done: bool = False, waits: bool = False) -> dict[str, Any]:
    return {**WANTED, "after": f"demo.o{at}", "done": done, "waits": waits, "wait_seconds": 60}


def test_it_is_called_again_with_its_answer_until_it_is_done() -> None:
    first, last = progress(1), progress(2, done=True)
    calls = Calls(first, last)
    machine = Machine(calls, "erasure")
    assert machine.run(WANTED) == last
    assert calls.received == [WANTED, first]
    assert "AwaitOutcomes" not in machine.trace


def test_it_waits_where_its_answer_says_so() -> None:
    waiting, last = progress(1, waits=True), progress(1, done=True)
    calls = Calls(waiting, waiting, last)
    machine = Machine(calls, "erasure")
    assert machine.run(WANTED) == last
    assert calls.received == [WANTED, waiting, waiting]
    assert machine.trace.count("AwaitOutcomes") == 2


def test_an_error_that_is_not_retried_ends_it() -> None:
    with pytest.raises(KeyError):
        Machine(Calls(progress(1), KeyError()), "erasure").run(WANTED)
