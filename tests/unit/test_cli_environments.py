"""The environment that a command is for: the only one there is, or the one that is named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from botocore.stub import Stubber

from infra.cli.command_error import CommandError
from infra.cli.connection import Connection

OUTPUTS = Connection.__dict__["outputs"]
"""How a connection finds them, which no test here replaces."""


@pytest.fixture(autouse=True)
def found(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)


def outputs(monkeypatch: pytest.MonkeyPatch, stacks: Sequence[str], env: str | None = None) -> dict[str, str]:
    """What a connection finds where there are these stacks, each of which says its name."""
    client = Connection(region="us-east-1").client("cloudformation")
    monkeypatch.setattr(Connection, "client", lambda _self, _service: client)
    described = [
        {
            "StackName": name,
            "CreationTime": "2026-01-01T00:00:00Z",
            "StackStatus": "CREATE_COMPLETE",
            "Outputs": [{"OutputKey": "Data" if name.endswith("-data") else "Application", "OutputValue": name}],
        }
        for name in stacks
    ]
    half = len(described) // 2
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": described[:half], "NextToken": "more"}, {})
        stub.add_response("describe_stacks", {"Stacks": described[half:]}, {"NextToken": "more"})
        return dict(Connection(env=env).outputs)


TWO = ("OrderPipeline-dev", "OrderPipeline-dev-data", "CDKToolkit", "OrderPipeline-prod-data", "OrderPipeline-prod")
STRANGERS = ("OrderPipeline", "OrderPipelines-dev", "OrderPipeline-Dev", "OrderPipeline-a-b", "OrderPipeline-data-data")


def test_the_only_one_there_is_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"Application": "OrderPipeline-dev", "Data": "OrderPipeline-dev-data"}
    assert outputs(monkeypatch, (*STRANGERS, *TWO[:3])) == found


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_one_of_several_is_named(monkeypatch: pytest.MonkeyPatch, env: str) -> None:
    found = {"Application": f"OrderPipeline-{env}", "Data": f"OrderPipeline-{env}-data"}
    assert outputs(monkeypatch, TWO, env) == found


@pytest.mark.parametrize(
    ("stacks", "env", "why"),
    [
        (TWO, None, "name an environment with --env; deployed in this account and region: dev, prod"),
        (TWO, "staging", "there is no environment staging; deployed in this account and region: dev, prod"),
        (STRANGERS, None, "no environment of the pipeline is deployed in this account and region"),
        (STRANGERS, "dev", "no environment of the pipeline is deployed in this account and region"),
        # The data outlives the application: there is nothing to command.
        (("OrderPipeline-dev-data",), "dev", "no environment of the pipeline is deployed in this account and region"),
    ],
)
def test_one_that_is_not_there_or_not_clear_is_refused(
    monkeypatch: pytest.MonkeyPatch, stacks: Sequence[str], env: str | None, why: str
) -> None:
    with pytest.raises(CommandError) as refused:
        outputs(monkeypatch, stacks, env)
    assert str(refused.value) == why
