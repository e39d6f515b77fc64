"""The in-process machine itself: that it goes step by step, and refuses what it does not know."""

from collections.abc import Callable
from typing import Any

import pytest

from handlers.inventory.refusals import OutOfStock
from tests.engines.saga_machine import Execution, UnknownLanguage, order_saga
from tests.statemachine.cases import FORWARD

States = dict[str, dict[str, Any]]


def answering_nothing(_service: str, _payload: dict[str, Any]) -> None:
    """A service that is always well."""


def test_a_step_is_one_attempt_at_one_task() -> None:
    calls = []
    execution = Execution(order_saga(), "one", lambda service, payload: calls.append((service, payload["command"])))
    assert not calls
    for number in range(1, 6):
        assert not execution.done
        execution.step()
        assert execution.trace == FORWARD[:number]
        assert len(calls) == number
    assert execution.done
    execution.step()
    assert len(calls) == 5


def test_executions_can_be_interleaved() -> None:
    calls = []
    two = [Execution(order_saga(), name, lambda _, payload: calls.append(payload["order_id"])) for name in ("a", "b")]
    while not all(execution.done for execution in two):
        for execution in two:
            execution.step()
    assert calls == ["a", "b"] * 5


def test_a_caught_error_is_kept_for_those_who_read_the_output() -> None:
    def out_of_stock(_service: str, payload: dict[str, Any]) -> None:
        if payload["command"] == "reserve_stock":
            raise OutOfStock("no TEAPOT")

    execution = Execution(order_saga(), "one", out_of_stock)
    execution.run()
    assert execution.data["refusal"]["Error"] == "OutOfStock"
    assert "no TEAPOT" in execution.data["refusal"]["Cause"]


@pytest.mark.parametrize(
    "change",
    [
        lambda states: states["ReserveStock"].update(HeartbeatSeconds=5),
        lambda states: states["ReserveStock"].update(Retri=[]),
        lambda states: states["ReserveStock"].pop("ResultPath"),
        lambda states: states["ReserveStock"].update(Resource="arn:aws:states:::lambda:invoke"),
        lambda states: states["ReserveStock"]["Parameters"].update({"now.$": "$$.State.EnteredTime"}),
        lambda states: states["ReserveStock"]["Retry"][0].update(IntervalSecond=5),
        lambda states: states["ReserveStock"]["Catch"][0].update(ErrorEquals=["States.ALL"]),
        lambda states: states["ReserveStock"]["Catch"][0].update(ResultPath="$.refusal.Error"),
        lambda states: states["Confirmed"].update(Type="Pass"),
    ],
)
def test_what_it_does_not_know_it_refuses(change: Callable[[States], object]) -> None:
    definition = order_saga()
    change(definition["States"])
    with pytest.raises(UnknownLanguage):
        Execution(definition, "one", answering_nothing)


def test_an_unknown_field_of_the_machine_is_refused() -> None:
    with pytest.raises(UnknownLanguage):
        Execution({**order_saga(), "QueryLanguage": "JSONata"}, "one", answering_nothing)
