"""The rebuild's definition: as a text, and the paths through it with steps whose answers are scripted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from handlers.projections.rebuild.messages import STEP
from handlers.projections.registry import PROJECTIONS
from infra.functions import FUNCTIONS
from tests.engines.rebuild_machine import Machine
from tests.engines.saga_machine import UnknownLanguage, definition, source
from tests.statemachine.cases import OWN_TROUBLE

[REBUILD] = [function for function in FUNCTIONS if function.key == "rebuild"]
RETRIED = {*OWN_TROUBLE, "LogBehind", "NotTaken", "InternalException", "LimitExceededException"}


def tasks(machine: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tasks of a machine, those inside maps too."""
    found: dict[str, dict[str, Any]] = {}
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            found[name] = state
        elif state["Type"] == "Map":
            found |= tasks(state["ItemProcessor"])
    return found


TASKS = tasks(definition("rebuild_projection"))


@pytest.mark.parametrize("name", TASKS)
def test_a_fault_of_ours_is_retried_for_hours_and_a_bug_ends_it_at_once(name: str) -> None:
    [retrier] = TASKS[name]["Retry"]
    assert set(retrier["ErrorEquals"]) == RETRIED
    waits = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"]))
    assert sum(min(wait, retrier["MaxDelaySeconds"]) for wait in waits) / 2 > 10 * 3600
    assert "Catch" not in TASKS[name]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_outlives_its_function(name: str) -> None:
    assert TASKS[name]["TimeoutSeconds"] > REBUILD.timeout


@pytest.mark.parametrize("name", TASKS)
def test_a_task_sends_the_fields_of_its_steps_message(name: str) -> None:
    schema = STEP.json_schema()
    message = schema["discriminator"]["mapping"][TASKS[name]["Parameters"]["step"]].rpartition("/")[2]
    sent = {field.removesuffix(".$") for field in TASKS[name]["Parameters"]}
    assert sent == schema["$defs"][message]["properties"].keys()


def test_writers_that_know_nothing_of_a_change_have_ended_before_the_next_step() -> None:
    states = definition("rebuild_projection")["States"]
    writers = {each.function for each in PROJECTIONS.values()}
    longest = max(function.timeout for function in FUNCTIONS if function.key in writers)
    for wait in ("AwaitWriters", "AwaitLastWriters"):
        assert states[wait]["Seconds"] > longest


def test_no_name_occurs_twice_in_an_object() -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads(source("rebuild_projection"), object_pairs_hook=unique)


# Paths


class Steps:
    """Answers steps: a list of answers for each, one after the other, the last for ever; an error is raised."""

    def __init__(self, **answers: list[Any]) -> None:
        self.calls: list[dict[str, Any]] = []
        part, other = {"number": 0, "done": True}, {"number": 1, "done": True}
        self._answers: dict[str, list[Any]] = {
            "open": [
                {
                    **{"projection": "p", "generation": "2", "keep_seconds": 7, "segments": [part, other]},
                    "evaluation": {"difference": None, "rounds": 0},
                }
            ],
            "start_replay": [None],
            "check_replay": [{"ended": True}],
            "fill": [part],
            "compare": [part],
            "evaluate": [evaluation(again=False)],
            "switch": [None],
            "close": [{"dropping": ["1"], "segments": [part]}],
            "drop": [part],
            "forget": [None],
            **answers,
        }

    def __call__(self, payload: dict[str, Any]) -> Any:
        self.calls.append(payload)
        script = self._answers[payload["step"]]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def names(self) -> list[str]:
        return [call["step"] for call in self.calls]


def evaluation(*, again: bool, difference: str = "0", rounds: int = 1) -> dict[str, Any]:
    found = {"difference": difference, "rounds": rounds, "again": again, "counters_moving": difference != "0"}
    return found | {"events": 5, "streams": 3, "compared": 3}


FORWARD = [
    "open",
    "start_replay",
    "check_replay",
    "fill",
    "fill",
    "compare",
    "compare",
    "evaluate",
    "switch",
    "close",
    "drop",
    "forget",
]


def test_all_well() -> None:
    steps = Steps()
    done = Machine(steps).run({"projection": "p"})
    assert steps.names == FORWARD
    assert steps.calls[0] == {"step": "open", "input": {"projection": "p"}}
    assert steps.calls[-1] == {"step": "forget", "projection": "p", "generations": ["1"]}
    assert done == {
        **{"projection": "p", "generation": "2", "dropped": ["1"]},
        **{"events": 5, "streams": 3, "compared": 3, "counters_moving": False},
    }


def test_a_replay_is_checked_until_it_has_ended() -> None:
    steps = Steps(check_replay=[{"ended": False}, {"ended": False}, {"ended": True}])
    machine = Machine(steps)
    machine.run({"projection": "p"})
    assert steps.names.count("check_replay") == 3
    assert machine.trace.count("AwaitReplay") == 2


@pytest.mark.parametrize("step", ["fill", "compare", "drop"])
def test_a_segment_continues_where_it_stopped_until_it_is_done(step: str) -> None:
    half = {"number": 0, "done": False, "after": ["x", "y"]}
    steps = Steps(**{step: [half, half, {"number": 0, "done": True}]})
    Machine(steps).run({"projection": "p"})
    assert [call["segment"] for call in steps.calls if call["step"] == step][1:3] == [half, half]
    assert steps.names.count(step) == FORWARD.count(step) + 2


def test_counters_that_moved_are_compared_again_with_the_round_before() -> None:
    first, second = evaluation(again=True, difference="12"), evaluation(again=False, rounds=2)
    steps = Steps(evaluate=[first, second])
    Machine(steps).run({"projection": "p"})
    before = [call["previous"] for call in steps.calls if call["step"] == "evaluate"]
    assert before == [{"difference": None, "rounds": 0}, first]
    assert steps.names.count("compare") == 4
    assert steps.names.count("fill") == 2


@pytest.mark.parametrize("step", sorted(set(FORWARD)))
def test_an_error_that_is_not_retried_ends_it_at_its_step(step: str) -> None:
    class GenerationDiffers(Exception):
        """As the step at hand raises it."""

    steps = Steps(**{step: [GenerationDiffers()]})
    with pytest.raises(GenerationDiffers):
        Machine(steps).run({"projection": "p"})
    assert steps.names == FORWARD[: FORWARD.index(step) + 1]


def test_what_the_machine_does_not_know_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = definition("rebuild_projection")
    changed["States"]["OpenGeneration"]["HeartbeatSeconds"] = 5
    monkeypatch.setattr("tests.engines.rebuild_machine.definition", lambda _: changed)
    with pytest.raises(UnknownLanguage):
        Machine(Steps()).run({"projection": "p"})
