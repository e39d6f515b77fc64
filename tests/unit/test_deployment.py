"""Deploying to AWS: what is refused before anything changes, and what the CDK command line is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from infra.deployment import cdk, commands
from infra.deployment.account import Account
from infra.deployment.old_versions import KEPT, Version, replaced_long_ago
from infra.deployment.refusals import Refused
from tests.builders.settings import PLACE

ACCOUNT = "000000000000"
DATA, APPLICATION = "OrderPipeline-staging-data", "OrderPipeline-staging"


class Aws:
    """An account with these stacks, by their states, and these tables."""

    def __init__(self) -> None:
        self.account = ACCOUNT
        self.stacks: dict[str, str] = {}
        self.protected: set[str] = set()
        self.named: list[str] = []
        self.resources: list[dict[str, str]] = []
        self.versions: list[datetime] = []
        self.deleted: list[str] = []

    def client(self, _service: str, **_: Any) -> Aws:
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": self.account}

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        if StackName not in self.stacks:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        protected = StackName in self.protected
        return {"Stacks": [{"StackStatus": self.stacks[StackName], "EnableTerminationProtection": protected}]}

    def get_paginator(self, _operation: str) -> Aws:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield from ({"TableNames": [name], "StackResourceSummaries": []} for name in self.named)
        yield {"TableNames": [], "StackResourceSummaries": self.resources}

    def list_state_machine_versions(self, *, stateMachineArn: str, nextToken: str = "0") -> dict[str, Any]:  # noqa: N803
        number = int(nextToken)
        more = {"nextToken": str(number + 1)} if number + 1 < len(self.versions) else {}
        versions = [
            {"stateMachineVersionArn": f"{stateMachineArn}:{number + 1}", "creationDate": self.versions[number]}
        ]
        return {"stateMachineVersions": versions, **more}

    def delete_state_machine_version(self, *, stateMachineVersionArn: str) -> None:  # noqa: N803
        self.deleted.append(stateMachineVersionArn)


class Deployment:
    """The commands, with settings of an environment `staging`; `ran` is what CDK was given, and what was new then."""

    def __init__(self, aws: Aws, file: Path) -> None:
        self.aws, self.file = aws, file
        self.ran: list[tuple[str, Sequence[str]]] = []
        self.file.write_text(PLACE + "[shops.demo]\n")

    def set(self, setting: str) -> None:
        self.file.write_text(f"{PLACE}{setting}\n[shops.demo]\n")

    def __call__(self, *arguments: str) -> str:
        """What a command is refused with; nothing where it is done."""
        done = CliRunner().invoke(commands.app, arguments)
        return "" if done.exit_code == 0 else str(done.exception)


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    made = Deployment(Aws(), tmp_path / "staging.toml")

    def assembled(_packages: Any, _environment: str, _settings: Any, _folder: Path, *, new: Sequence[str]) -> None:
        made.ran.append(("new", tuple(new)))

    def run(command: str, *arguments: str) -> None:
        of_assembly = arguments[:1] == ("--app",)
        made.ran.append((command, arguments[2:] if of_assembly else arguments))

    monkeypatch.setattr(commands, "file_of", lambda _: made.file)
    monkeypatch.setattr(commands, "Account", lambda _: Account(made.aws.client))
    monkeypatch.setattr(commands, "build_zips", lambda _: {})
    monkeypatch.setattr(commands, "synthesize", assembled)
    monkeypatch.setattr(cdk, "run", run)
    return made


def test_the_account_and_region_of_the_settings_are_prepared(deployment: Deployment) -> None:
    assert deployment("bootstrap", "staging") == ""
    assert deployment.ran == [("bootstrap", (f"aws://{ACCOUNT}/us-east-1",))]


ALL = ("deploy", ("--all", "--require-approval", "never"))


def test_a_first_deployment_is_protected_once_it_is_there(deployment: Deployment) -> None:
    assert deployment("deploy", "staging") == ""
    assert deployment.ran == [("new", (DATA, APPLICATION)), ALL, ("new", ()), ALL]


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_one_that_failed_before_anything_was_there_is_a_first_one(deployment: Deployment, state: str) -> None:
    deployment.aws.stacks = {DATA: state}
    deployment("deploy", "staging")
    assert deployment.ran[0] == ("new", (DATA, APPLICATION))


def test_a_first_deployment_without_protection_is_made_once(deployment: Deployment) -> None:
    deployment.set("protected = false")
    deployment("deploy", "staging")
    assert deployment.ran == [("new", (DATA, APPLICATION)), ALL]


def test_an_application_that_is_made_again_leaves_its_data_protected(deployment: Deployment) -> None:
    deployment.aws.stacks = {DATA: "UPDATE_COMPLETE"}
    deployment("deploy", "staging")
    assert deployment.ran == [("new", (APPLICATION,)), ALL, ("new", ()), ALL]


def test_what_is_there_is_updated_at_once(deployment: Deployment) -> None:
    deployment.aws.stacks = {DATA: "CREATE_COMPLETE", APPLICATION: "UPDATE_ROLLBACK_COMPLETE"}
    deployment("deploy", "staging")
    assert deployment.ran == [("new", ()), ALL]


@pytest.mark.parametrize("command", ["bootstrap", "deploy", "diff", "destroy"])
def test_another_account_is_refused(deployment: Deployment, command: str) -> None:
    deployment.aws.account = "111111111111"
    refused = deployment(command, "staging")
    assert refused.startswith(f"staging is in the account {ACCOUNT} (")
    assert refused.endswith("these credentials are for 111111111111")
    assert deployment.ran == []


LEFT = [f"{DATA}-Orders-1ABC", f"{DATA}-Vault-2ABC"]


def test_an_empty_table_beside_one_that_was_kept_is_refused_with_both_names(deployment: Deployment) -> None:
    deployment.aws.named = [*LEFT, "orders", "OrderPipeline-production-data-Orders-3ABC"]
    refused = deployment("deploy", "staging")
    assert f"a new table {DATA}-Orders-… would be empty, beside {LEFT[0]} of an earlier deployment" in refused
    assert f"a new table {DATA}-Vault-… would be empty, beside {LEFT[1]} of an earlier deployment" in refused
    assert "production" not in refused
    assert f"name it under [adopt] in {deployment.file}" in refused
    assert deployment.ran == []


ADOPT = f'adopt.orders = {{ name = "{LEFT[0]}", stream = "2026-11-21T10:00:00.000" }}\n'


def test_what_was_kept_can_be_adopted(deployment: Deployment) -> None:
    deployment.aws.named = LEFT
    deployment.set(ADOPT)
    assert f"{DATA}-Orders-…" not in deployment("deploy", "staging")
    deployment.set(f'{ADOPT}adopt.vault.name = "{LEFT[1]}"')
    assert deployment("deploy", "staging") == ""


def test_the_data_that_is_deployed_may_have_tables_of_its_name(deployment: Deployment) -> None:
    deployment.aws.named = LEFT
    deployment.aws.stacks = {DATA: "CREATE_COMPLETE"}
    assert deployment("deploy", "staging") == ""


def test_versions_of_state_machines_that_no_execution_needs_any_more_are_deleted(deployment: Deployment) -> None:
    deployment.aws.stacks = {DATA: "CREATE_COMPLETE", APPLICATION: "CREATE_COMPLETE"}
    machine = {"ResourceType": "AWS::StepFunctions::StateMachine", "PhysicalResourceId": "arn:machine"}
    deployment.aws.resources = [machine, {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "queue"}]
    now = datetime.now(UTC)
    deployment.aws.versions = [now - timedelta(days=days) for days in (90, 30, 15, 13)]
    assert deployment("deploy", "staging") == ""
    # The third was replaced 13 days ago: an execution that failed before can be redriven for another day.
    assert deployment.aws.deleted == ["arn:machine:1", "arn:machine:2"]


@given(st.lists(st.integers(0, 400), unique=True))
def test_the_newest_version_and_each_that_a_failed_execution_may_need_stay(ages: list[int]) -> None:
    now = datetime.now(UTC)
    versions = [Version(str(days), now - timedelta(days=days)) for days in ages]
    kept = {int(each.arn) for each in set(versions) - set(replaced_long_ago(versions, now))}
    assert (min(ages) in kept) if ages else not kept
    # Whatever the day in the last 14, the version that was in use on that day is there.
    for day in range(KEPT.days + 1):
        in_use = [days for days in ages if days >= day]
        assert not in_use or min(in_use) in kept


def test_destroying_leaves_the_data(deployment: Deployment) -> None:
    deployment.set("protected = false")
    deployment.aws.stacks = {DATA: "CREATE_COMPLETE", APPLICATION: "CREATE_COMPLETE"}
    assert deployment("destroy", "staging") == ""
    assert deployment.ran == [("new", ()), ("destroy", ("--exclusively", APPLICATION))]


@pytest.mark.parametrize(
    ("setting", "protected", "why"),
    [
        ("protected = true", set(), "staging is protected: set protected = false in "),
        (
            "protected = false",
            {APPLICATION},
            "staging is protected: make deploy ENV=staging",
        ),
    ],
)
def test_what_is_protected_is_not_destroyed(
    deployment: Deployment, setting: str, protected: set[str], why: str
) -> None:
    deployment.set(setting)
    deployment.aws.stacks, deployment.aws.protected = {APPLICATION: "CREATE_COMPLETE"}, protected
    assert deployment("destroy", "staging").startswith(why)
    assert deployment.ran == []


def test_what_is_not_there_is_not_destroyed(deployment: Deployment) -> None:
    deployment.set("protected = false")
    assert deployment("destroy", "staging") == f"there is no {APPLICATION} in {ACCOUNT} and us-east-1"


def test_a_command_of_the_cdk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "cdk"
    program.write_text("process.exit(3)")
    monkeypatch.setattr(cdk, "CDK", program)
    with pytest.raises(Refused, match="cdk deploy ended with 3"):
        cdk.run("deploy")
