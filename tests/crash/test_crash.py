"""A message delivered repeatedly, and a function killed once in the middle: the same final state.

For each case the function runs undisturbed at first, which shows its calls to AWS and what it leaves behind. Then, from
the same state before, it is killed before and after each of the calls, and the message is delivered again; and each of
the calls is throttled, does not get there, or its answer gets lost, and the message is delivered again where the
function failed, and redriven where it failed at the last delivery.

To be killed after one call and before the next one is the same: nothing but memory lies between them. So the first call
alone is tried from both sides. To be killed before a call that only reads, and after it, is the same too. Of the table,
being busy and being out of reach are one thing to our code, which tests/saga holds it to; so the latter is tried with
other services alone. And of a read, whether the question or the answer gets lost is one thing as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.constructs.express_saga import START_EXECUTION
from infra.functions import FUNCTIONS
from infra.local.emulator.process import Emulator
from tests.builders import environment
from tests.builders.messages import integration_event, sqs
from tests.crash.cases import (
    BACK,
    CASES,
    FORWARD,
    ORDER,
    RECALL,
    SERVICES,
    Case,
    cancel_because,
    command,
    placed,
)
from tests.engines.explorer import Content
from tests.engines.saga_machine import EXPRESS, Execution, definition
from tests.engines.table import Items
from tests.engines.wire import Call, Fault, Killed, Trouble
from tests.engines.world import Left, World
from tests.engines.world import world as world_for_the_block
from tests.saga.balance import check_always, log, settled, vault

_BEYOND_THE_TABLES = {"GetSecretValue", "PutEvents", "SendMessage", "SendEmail"}
_ANSWERED = {Trouble.KILLED_AFTER, Trouble.ANSWER_LOST}


@pytest.fixture(scope="module")
def world(emulator: Emulator) -> Iterator[World]:
    with world_for_the_block(emulator) as world:
        yield world


@dataclass(frozen=True)
class Undisturbed:
    """A case as it goes undisturbed: what was there before, the message, the calls to AWS and what is left."""

    case: Case
    prior: Items
    message: dict[str, Any]
    calls: list[Call]
    left: Left


@pytest.fixture(scope="module", params=CASES)
def undisturbed(request: pytest.FixtureRequest, world: World) -> Undisturbed:
    case = CASES[request.param]
    world.begin({})
    case.prior(world)
    prior = world.table.items()
    message = case.message(world)
    world.forget()
    calls = Fault()
    with world.functions.wire.tapped(calls):
        assert world.deliver(case.function, message) == case.outcome
    return Undisturbed(case, prior, message, calls.calls, world.left(case.function))


def test_there_are_cases_for_every_function_and_command() -> None:
    # test_file_import.py: a file is gone once it is imported; test_erasure.py: it works on buckets;
    # tests/unit/test_dead_letters.py: the messages are not in the table; tests/unit/test_rebuild.py: the machine starts
    # again; tests/saga/test_sweep.py: the next run comes.
    elsewhere = {"file_import", "dead_letters", "rebuild", "erasure", "sweep"}
    only_reads = {"api_query"}
    functions = {function.key for function in FUNCTIONS}
    assert {case.function for case in CASES.values()} == functions - elsewhere - only_reads
    for name in SERVICES:
        assert any(case.startswith(name) for case in CASES)


def test_a_message_delivered_three_times_is_a_message_delivered_once(world: World, undisturbed: Undisturbed) -> None:
    case = undisturbed.case
    world.begin(undisturbed.prior)

    assert [world.deliver(case.function, undisturbed.message) for _ in range(3)] == [case.outcome] * 3
    assert world.left(case.function) == undisturbed.left


def test_a_function_disturbed_at_any_call_leaves_the_same_in_the_end(world: World, undisturbed: Undisturbed) -> None:
    case = undisturbed.case
    for at, trouble in itertools.product(range(1, len(undisturbed.calls) + 1), Trouble):
        call = undisturbed.calls[at - 1]
        if trouble is Trouble.KILLED_BEFORE and at > 1:
            continue
        if trouble is Trouble.OUT_OF_REACH and call.operation not in _BEYOND_THE_TABLES:
            continue
        if trouble in _ANSWERED and call.only_reads:
            continue
        world.begin(undisturbed.prior)
        try:
            with world.functions.wire.tapped(Fault(at, trouble)):
                outcome = world.deliver(case.function, undisturbed.message)
        except Killed:
            outcome = world.deliver(case.function, undisturbed.message)
        left = world.left(case.function)
        if case.at_last and left.dead_letters:
            outcome = world.deliver(case.function, undisturbed.message)  # it is redriven
            left = world.left(case.function)

        where = f"{trouble}: call {at}, {call.operation}"
        assert outcome == case.outcome, where
        last_done = at if trouble in _ANSWERED else at - 1
        expected = _with_a_take_over(undisturbed.left, left, undisturbed.calls, last_done)
        assert left == _with_a_token(expected, undisturbed.calls, last_done), where


PLACE = ("order_intake", sqs(integration_event("OrderSubmitted", placed)))
CANCEL = ("order_intake", sqs(integration_event(*cancel_because)))


def steps(*names: str) -> list[tuple[str, dict[str, Any]]]:
    """Steps of the saga, each with the function that takes it."""
    return [(SERVICES[name], command(name)) for name in names]


@pytest.mark.parametrize(
    "course",
    [
        [PLACE, *steps(*FORWARD)],
        [PLACE, *steps("reserve_stock"), CANCEL, *steps(*BACK[1:])],
        [PLACE, *steps("reserve_stock", "authorize_payment"), CANCEL, *steps(*BACK[1:])],
        [PLACE, *steps(*FORWARD), CANCEL, *steps(*RECALL)],
    ],
    ids=["confirmed", "cancelled before it is authorized", "cancelled after that", "recalled"],
)
def test_a_kill_at_any_call_of_an_orders_course_parts_nothing_of_log_and_vault(
    world: World, course: list[tuple[str, dict[str, Any]]]
) -> None:
    """One order, one person, and no token once the charge is authorized or undone; what no order has expires.

    Whatever was killed is delivered again, and all that went before it too, late.
    """

    def run(fault: Fault) -> Iterator[Items]:
        """The items after each step, and those at the end."""
        world.begin({})
        world.stocked(apple=10, pear=5)
        for number, (function, message) in enumerate(course, start=1):
            try:
                with world.functions.wire.tapped(fault):
                    assert world.deliver(function, message) == "done"
            except Killed:
                for again in course[:number]:
                    world.deliver(*again)
            yield world.table.items()

    undisturbed = Fault()
    for items in run(undisturbed):
        check_always(items)
    person = vault(items)
    assert len(person) == 1
    for at, call in enumerate(undisturbed.calls, start=1):
        if call.only_reads:
            continue
        where = f"killed after call {at}, {call.operation}"
        for items in run(Fault(at, Trouble.KILLED_AFTER)):
            check_always(items)
            assert [stream for stream in log(items) if stream.startswith("order#")] == [f"order#{ORDER}"], where
        left = vault(items)
        assert left.keys() >= person.keys(), where
        put_a_token = (call.operation, call.parameters.get("TableName")) == ("PutItem", environment.VAULT_TABLE)
        assert len(left.keys() - person.keys()) == put_a_token, where
        assert settled(items, ORDER).status == ("CANCELLED" if CANCEL in course else "CONFIRMED"), where


@pytest.mark.parametrize(
    ("machines", "token", "status"),
    [
        ([EXPRESS], "tok_decline_capture", "CANCELLED"),
        (["order_saga", EXPRESS], "tok_approve", "CONFIRMED"),
    ],
    ids=["the express lane, which hands over", "both lanes at once"],
)
def test_a_kill_at_any_call_of_an_order_leaves_the_same_as_the_order_saga_undisturbed(
    world: World, machines: list[str], token: str, status: str
) -> None:
    """The executions take turns, task by task. A hand-over starts the saga under the order's id, once."""
    world.begin({})
    world.stocked(apple=10, pear=5)
    world.placed(ORDER, token=token)
    before = world.table.items()

    def run(names: list[str], fault: Fault) -> Items:
        world.begin(before)
        executions: list[Execution] = []
        started = "order_saga" in names

        def invoke(key: str, payload: dict[str, Any]) -> None:
            nonlocal started
            if key == START_EXECUTION:
                if not started:
                    executions.append(Execution(definition("order_saga"), payload["Input"]["order_id"], invoke))
                started = True
                return
            try:
                with world.functions.wire.tapped(fault):
                    error = world.deliver(key, payload)
            except Killed:
                error = "Runtime.ExitError"  # what a state machine sees of it
            if error != "done":
                raise type(error, (Exception,), {})

        executions += [Execution(definition(name), ORDER, invoke) for name in names]
        while not all(execution.done for execution in executions):
            for execution in list(executions):
                execution.step()
        assert {execution.outcome.status for execution in executions if execution.outcome} == {"SUCCEEDED"}
        return world.table.items()

    expected = run(["order_saga"], Fault())
    assert settled(expected, ORDER).status == status
    undisturbed = Fault()
    assert Content(run(machines, undisturbed)).key == Content(expected).key
    for at, call in enumerate(undisturbed.calls, start=1):
        if not call.only_reads:
            left = run(machines, Fault(at, Trouble.KILLED_AFTER))
            assert Content(left).key == Content(expected).key, f"killed after call {at}, {call.operation}"


def _with_a_token(expected: Left, calls: list[Call], last_done: int) -> Left:
    """What may be left until it expires: the token of a submission that was disturbed before it had placed its order,
    or before it had deleted the token because the order was there.
    """
    nobodys = 0
    for call, following in zip(calls[:last_done], [*calls[1:], None], strict=False):
        match call.operation, call.parameters.get("TableName"):
            case "PutItem", environment.VAULT_TABLE:
                nobodys = 1
            case "DeleteItem", environment.VAULT_TABLE:
                nobodys = 0
            case "TransactWriteItems", _:
                was_there = following is not None and following.operation == "DeleteItem"
                nobodys = nobodys if was_there else 0
    return replace(expected, nobodys_tokens=expected.nobodys_tokens + nobodys)


def _with_a_take_over(expected: Left, left: Left, calls: list[Call], last_done: int) -> Left:
    """What may be left: a take-over where the function claimed an e-mail and could not complete it.

    Only where the e-mail was sent by then is there one e-mail more, for it has no idempotency key.
    """
    taken_over = left.take_overs - expected.take_overs
    again = left.emails - expected.emails
    assert taken_over in {0, 1}
    sent = last_done > 0 and calls[last_done - 1].operation == "SendEmail"
    assert again.total() == taken_over * sent
    return replace(expected, emails=expected.emails + again, take_overs=left.take_overs)
