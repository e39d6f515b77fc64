"""Erasures from the command line: who is named, what is printed, and what it says of what is left."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import Result

from infra.cli.connection import Connection
from infra.signals import Ended
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.executions import EXECUTION, MACHINE, Event, Machine, failed

ARN = "arn:aws:iam::123456789012:user/operator"
ENDED: Event = {"type": "ExecutionSucceeded"}
NOTHING = {"orders": 0, "payment_tokens": 0, "dead_letters": 0, "unattributed": 0}


def step(*under_way: tuple[str, str], waits: bool = False, from_ledger: bool = False, **found: int) -> Event:
    """The function has answered."""
    waiting = [{"order_id": order_id, "under_way": status} for order_id, status in under_way]
    answer = {"found": {**NOTHING, **found}, "under_way": waiting, "waits": waits, "from_ledger": from_ledger}
    exited = {"name": "Erase", "output": json.dumps({**answer, "wait_seconds": 60 if waits else 0})}
    return {"type": "TaskStateExited", "stateExitedEventDetails": exited}


def erased(monkeypatch: pytest.MonkeyPatch, batches: Sequence[list[Event]], *arguments: str) -> tuple[Result, Machine]:
    machine = Machine(list(batches))
    monkeypatch.setattr(Connection, "client", lambda self, service: {"stepfunctions": machine}[service])
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "ErasureStateMachineArn": MACHINE})
    monkeypatch.setattr(Connection, "operator", ARN)
    monkeypatch.setattr(Connection, "poll_seconds", 0)
    return run_command("erase", *arguments), machine


def rows(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "whom"),
    [
        (["--customer", "demo.c1"], {"customer_id": "demo.c1"}),
        (["--customer", "c1"], {"customer_id": "demo.c1"}),
        (["--order", "demo.o1"], {"order_id": "demo.o1"}),
        (["--from-ledger"], {"from_ledger": True}),
    ],
)
def test_an_execution_is_started_for_who_is_named_on_behalf_of_the_operator(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], whom: dict[str, Any]
) -> None:
    result, machine = erased(monkeypatch, [[step(from_ledger="from_ledger" in whom), ENDED]], *arguments)
    assert result.exit_code == 0, result.stderr
    assert machine.started == [{**whom, "dry_run": False, "operator": ARN}]


def test_it_prints_what_was_erased_and_what_is_left_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    last = step(orders=3, payment_tokens=1, dead_letters=2, unattributed=4)
    before = datetime.now(UTC)
    result, _ = erased(monkeypatch, [[], [last], [ENDED]], "--customer", "demo.c1")
    printed = rows(result)
    assert printed[:4] == [
        ["orders", "3"],
        ["payment tokens", "1"],
        ["dead-letter messages", "2"],
        ["dead-letter messages that may be anybody's", "4, left"],
    ]
    left = {what.split(" ")[0]: until for until, what in printed[4:]}
    for what, days in {"files": 30, "dead-letter": 30, "messages": 14, "backups": 35}.items():
        assert left[what] in {
            f"left until {now + timedelta(days=days):%Y-%m-%d}" for now in (before, datetime.now(UTC))
        }
    assert result.stderr == ""


def test_orders_under_way_are_named_once_while_they_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    both = step(("demo.o1", "PLACED"), ("demo.o2", "CANCELLING"), waits=True, orders=1)
    one = step(("demo.o2", "CANCELLING"), waits=True, orders=2)
    result, _ = erased(monkeypatch, [[both], [both, one], [one, step(orders=3), ENDED]], "--customer", "demo.c1")
    assert rows(result)[0] == ["orders", "3"]
    assert result.stderr.splitlines() == [
        "waiting for orders under way: demo.o1 (PLACED), demo.o2 (CANCELLING)",
        "waiting for orders under way: demo.o2 (CANCELLING)",
    ]


def test_ctrl_c_lets_it_continue_by_itself_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise Ended(signal.SIGINT)

    monkeypatch.setattr("infra.cli.executions.time.sleep", interrupted)
    result, _ = erased(monkeypatch, [[step(("demo.o1", "PLACED"), waits=True)]], "--customer", "demo.c1")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.splitlines()[-1] == f"it continues by itself; its execution: {EXECUTION}"


def test_a_dry_run_says_what_would_go_and_what_would_have_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    would = step(("demo.o1", "PLACED"), orders=2)
    result, machine = erased(monkeypatch, [[would, ENDED]], "--customer", "demo.c1", "--dry-run")
    assert machine.started[0]["dry_run"] is True
    assert rows(result)[-1] == ["orders under way", "demo.o1 (PLACED)"]
    assert ["orders", "2"] in rows(result)
    assert result.stderr == "nothing was changed\n"


def test_from_the_ledger_it_says_nothing_of_what_is_not_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = erased(monkeypatch, [[step(from_ledger=True, orders=7), ENDED]], "--from-ledger")
    assert rows(result) == [["orders", "7"], ["payment tokens", "0"]]


def test_a_failed_execution_fails_the_command_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = erased(monkeypatch, [[failed("AccessDenied", "no")]], "--order", "demo.o1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "failed: AccessDenied: no; the same command goes on with it\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--dry-run"],
        ["--customer", "demo.c1", "--order", "demo.o1"],
        ["--order", "demo.o1", "--from-ledger"],
        ["--customer", "demo.c 1"],
        ["--order", "demo#o1"],
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    result, machine = erased(monkeypatch, [], *arguments)
    assert (result.exit_code, result.stdout, machine.started) == (2, "", [])
    assert result.stderr.count("\n") == 1


def test_a_deployment_without_erasure_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)
    result = run_command("erase", "--order", "demo.o1")
    assert result.exit_code == 1
    assert "deploy this version first" in result.stderr
