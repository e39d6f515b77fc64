"""What the pipeline needs of an account's quotas, and what preflight says where they are too little."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import pytest
from botocore.stub import Stubber
from typer.testing import Result

from handlers.operations.preflight import quotas
from handlers.operations.preflight.quotas import Answer, Finding, Need, Quota, Verdict, findings
from infra import needs
from infra.cli.connection import Connection
from infra.planning.order import CANCELLED_TRANSITIONS, CONFIRMED_TRANSITIONS, Lane
from tests.builders.commands import loader, run_command

DEFINITIONS = Path(__file__).parents[2] / "statemachines"
NEEDED = {need.quota: need for need in needs.needs(1)}
PLENTY = 10_000_000.0
DENIED = "AccessDeniedException"
_client = Connection.client
BY_SERVICE_QUOTAS = [quota for quota in NEEDED if quota.service in {"states", "events"} or quota == quotas.TABLES]


@cache
def client(service: str) -> Any:
    with patch("botocore.session.create_loader", loader):
        return _client(Connection(region="us-east-1"), service)


@contextmanager
def account(
    monkeypatch: pytest.MonkeyPatch,
    *,
    concurrency: tuple[int, int] = (1000, 1000),
    production: bool = True,
    values: Mapping[Quota, float] = {},
    by_default: frozenset[Quota] = frozenset(),
    denied: bool = False,
) -> Iterator[None]:
    """An account in which there is plenty of everything else; Service Quotas may be denied, or know defaults alone."""
    monkeypatch.setattr(Connection, "client", lambda _, service: client(service))
    with ExitStack() as stack:
        lambda_, ses, dynamodb, service_quotas = (
            stack.enter_context(Stubber(client(each))) for each in ("lambda", "sesv2", "dynamodb", "service-quotas")
        )
        limit = dict(zip(("ConcurrentExecutions", "UnreservedConcurrentExecutions"), concurrency, strict=True))
        lambda_.add_response("get_account_settings", {"AccountLimit": limit})
        quota = {"Max24HourSend": PLENTY, "MaxSendRate": PLENTY}
        for _ in range(2):
            ses.add_response(
                "get_account", {"ProductionAccessEnabled": production, "SendingEnabled": True, "SendQuota": quota}
            )
            limits = {"TableMaxWriteCapacityUnits": 40_000, "TableMaxReadCapacityUnits": 40_000}
            dynamodb.add_response("describe_limits", limits)
        dynamodb.add_response("list_tables", {"TableNames": ["one", "two", "three"]})
        for each in BY_SERVICE_QUOTAS:
            asked = {"ServiceCode": each.service, "QuotaCode": each.code}
            there = {"Quota": {"Value": values.get(each, PLENTY)}}
            if denied:
                service_quotas.add_client_error("get_service_quota", DENIED, expected_params=asked)
            elif each in by_default:
                service_quotas.add_client_error("get_service_quota", "NoSuchResourceException", expected_params=asked)
                service_quotas.add_response("get_aws_default_service_quota", there, asked)
            else:
                service_quotas.add_response("get_service_quota", there, asked)
        yield


def rows(result: Result) -> dict[str, list[str]]:
    return {name: cells for name, *cells in (line.split("\t") for line in result.stdout.splitlines())}


# What is needed


def test_a_rate_of_orders_multiplies_what_an_order_costs_and_not_what_is_there_once() -> None:
    fast = {need.quota: need.amount for need in needs.needs(50)}
    assert fast[quotas.PUT_EVENTS] == 50 * NEEDED[quotas.PUT_EVENTS].amount
    assert fast[quotas.TABLES] == NEEDED[quotas.TABLES].amount
    # Queues and the stream cause so many calls at once, however many messages wait there.
    at_once = NEEDED[quotas.CONCURRENT_EXECUTIONS].amount
    assert at_once < fast[quotas.CONCURRENT_EXECUTIONS] < 5 * at_once


def test_the_express_lane_hands_over_a_share_of_the_orders_and_the_other_one_is_the_saga() -> None:
    express, standard = ({need.quota: need for need in needs.needs(100, lane)} for lane in get_args(Lane))
    for quota in (quotas.STATE_TRANSITIONS, quotas.EXECUTION_STARTS):
        assert express[quota].amount < standard[quota].amount / 4
    assert 600 < standard[quotas.STATE_TRANSITIONS].amount <= 1_000
    # An outside service may be down for long: then every order needs the saga.
    assert express[quotas.OPEN_EXECUTIONS] == standard[quotas.OPEN_EXECUTIONS]


def test_an_execution_of_the_saga_has_as_many_transitions_as_are_counted() -> None:
    states = json.loads((DEFINITIONS / "order_saga.asl.json").read_text())["States"]

    def entered(name: str) -> list[str]:
        return [name, *(entered(states[name]["Next"]) if "Next" in states[name] else [])]

    # AWS counts the start of an execution, too. At worst it is refused at the last task that refuses.
    forward, back = entered("ReserveStock"), entered("StartCancellation")
    assert 1 + len(forward) == CONFIRMED_TRANSITIONS
    assert 1 + len(forward) - 1 + len(back) == CANCELLED_TRANSITIONS


def test_a_rebuild_takes_as_many_calls_at_once_as_its_state_machine_allows() -> None:
    states = json.loads((DEFINITIONS / "rebuild_projection.asl.json").read_text())["States"]
    assert max(state["MaxConcurrency"] for state in states.values() if "MaxConcurrency" in state) == (
        needs.REBUILD_AT_ONCE
    )


@pytest.mark.parametrize(
    ("there", "verdict"),
    [(99.0, Verdict.TOO_LITTLE), (100.0, Verdict.ENOUGH), (1e9, Verdict.ENOUGH), (None, Verdict.UNKNOWN)],
)
def test_what_is_needed_is_compared_with_what_is_there(there: float | None, verdict: Verdict) -> None:
    need = Need(quotas.OPEN_EXECUTIONS, 100, "why")
    [found] = findings([need], {quotas.OPEN_EXECUTIONS: Answer(there)})
    assert (found, found.verdict) == (Finding(need, Answer(there)), verdict)


# What is said


def test_an_account_with_enough_of_everything_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch):
        result = run_command("preflight")
    assert (result.exit_code, result.stderr) == (0, "")
    found = rows(result)
    assert found.keys() == {quota.name for quota in NEEDED}
    assert {cells[2] for cells in found.values()} == {"enough"}


def test_each_quota_that_must_be_raised_is_named_with_what_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch, concurrency=(110, 10), values={quotas.STATE_TRANSITIONS: 0}):
        result = run_command("preflight")
    assert result.exit_code == 1
    found = rows(result)
    assert [name for name, cells in found.items() if cells[2] == "must be raised"] == [
        quotas.CONCURRENT_EXECUTIONS.name,
        quotas.STATE_TRANSITIONS.name,
    ]
    needed = NEEDED[quotas.CONCURRENT_EXECUTIONS].amount
    assert found[quotas.CONCURRENT_EXECUTIONS.name][:2] == [str(needed), "10"]
    asks = "aws service-quotas request-service-quota-increase --service-code"
    # What others have reserved comes on top.
    assert result.stderr.splitlines() == [
        f"{asks} lambda --quota-code L-B99A9384 --desired-value {needed + 100}",
        f"{asks} states --quota-code L-AD9B4E93 --desired-value 1",
    ]


def test_more_orders_need_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch, values={quotas.PUT_EVENTS: 525}):
        assert run_command("preflight", "--orders-per-second", "75").exit_code == 0
    with account(monkeypatch, values={quotas.PUT_EVENTS: 525}):
        result = run_command("preflight", "--orders-per-second", "76")
    assert result.exit_code == 1
    assert rows(result)[quotas.PUT_EVENTS.name][:3] == ["532", "525", "must be raised"]


def test_in_the_other_lane_every_order_takes_the_saga(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch, values={quotas.STATE_TRANSITIONS: 100}):
        assert run_command("preflight", "--orders-per-second", "20").exit_code == 0
    with account(monkeypatch, values={quotas.STATE_TRANSITIONS: 100}):
        result = run_command("preflight", "--orders-per-second", "20", "--lane", "standard")
    assert rows(result)[quotas.STATE_TRANSITIONS.name][:3] == ["124", "100", "must be raised"]


def test_without_a_quota_of_its_own_an_account_has_the_default_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    by_default = frozenset({quotas.TABLES})
    with account(monkeypatch, values={quotas.TABLES: 2500}, by_default=by_default):
        result = run_command("preflight")
    assert result.exit_code == 0
    assert rows(result)[quotas.TABLES.name][:2] == ["2", "2,497"]


def test_an_account_in_the_sandbox_of_ses_sends_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch, production=False):
        result = run_command("preflight")
    assert (result.exit_code, result.stderr) == (1, "")
    for quota in (quotas.SEND_RATE, quotas.SEND_QUOTA):
        assert rows(result)[quota.name][1:3] == ["0", "must be raised"]
        assert rows(result)[quota.name][-1].endswith("ask for production access")


def test_what_may_not_be_asked_is_not_known_which_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch, denied=True):
        result = run_command("preflight")
    assert (result.exit_code, result.stderr) == (3, "what could not be asked for may be too little\n")
    unknown = {name: cells for name, cells in rows(result).items() if cells[2] == "not known"}
    assert unknown.keys() == {quota.name for quota in BY_SERVICE_QUOTAS}
    assert {(cells[1], cells[-1].rpartition("; ")[2]) for cells in unknown.values()} == {
        ("?", f"GetServiceQuota: {DENIED}")
    }


def test_an_account_that_lacks_something_fails_even_where_not_all_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with account(monkeypatch, concurrency=(10, 10), denied=True):
        assert run_command("preflight").exit_code == 1
