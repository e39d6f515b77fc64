"""How a change reaches callers, by versions behind the alias `live`; and what single functions are set to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.app import synthesize
from infra.function_spec import Tasks
from infra.functions import AUTHORIZER, FUNCTIONS
from infra.local.left_out import LEFT_OUT
from infra.local.transform import for_emulator
from infra.names import LOCAL_ENVIRONMENT, application_stack, data_stack
from infra.package import Built, Package
from infra.settings.environment import InvalidSettings
from tests.builders.settings import settings
from tests.infra.template import Properties, Template, with_aliases, written

GRADUALLY = {spec.name for spec in (*FUNCTIONS, AUTHORIZER) if isinstance(spec.trigger, Tasks | None)}
"""The functions whose callers wait for an answer."""

Synthesized = Callable[..., Path]


@pytest.fixture
def assembled(packages: dict[Package, Built], tmp_path: Path) -> Synthesized:
    """Synthesizes an environment with these settings."""
    return lambda **parts: Path(synthesize(packages, LOCAL_ENVIRONMENT, settings(**parts), tmp_path).directory)


@pytest.fixture(scope="module")
def template(assembly: Path) -> Template:
    """The template with its aliases."""
    return with_aliases(assembly)


def live(template: Template) -> dict[str, str]:
    """The functions by the logical ids of their aliases."""
    aliases = template.of_type("AWS::Lambda::Alias")
    assert {alias["Name"] for alias in aliases.values()} == {"live"}
    return {name: alias["FunctionName"]["Ref"] for name, alias in aliases.items()}


def test_every_function_has_an_alias_of_its_own_newest_version(template: Template) -> None:
    versions = template.of_type("AWS::Lambda::Version")
    assert sorted(live(template).values()) == sorted(template.of_type("AWS::Lambda::Function"))
    for alias in template.of_type("AWS::Lambda::Alias").values():
        [version, attribute] = alias["FunctionVersion"]["Fn::GetAtt"]
        assert (versions[version]["FunctionName"], attribute) == (alias["FunctionName"], "Version")


def test_whatever_calls_a_function_calls_its_alias(template: Template) -> None:
    """No mapping, method, authorizer, schedule, state machine or grant names a function without it."""
    aliases = set(live(template))
    called = {
        *(each["FunctionName"]["Ref"] for each in template.of_type("AWS::Lambda::EventSourceMapping").values()),
        *(each["FunctionName"]["Ref"] for each in template.of_type("AWS::Lambda::Permission").values()),
        *(each["Target"]["Arn"]["Ref"] for each in template.of_type("AWS::Scheduler::Schedule").values()),
        *(
            arn["Ref"]
            for machine in template.of_type("AWS::StepFunctions::StateMachine").values()
            for arn in machine["DefinitionSubstitutions"].values()
        ),
    }
    [saga] = [name for name in template.of_type("AWS::StepFunctions::StateMachineAlias") if name.startswith("SagaLive")]
    assert called == aliases | {saga}  # which the express lane hands over to
    functions = template.of_type("AWS::Lambda::Function")
    callers = ("AWS::ApiGateway::", "AWS::Scheduler::", "AWS::StepFunctions::", "AWS::IAM::Policy")
    for resource in template.raw["Resources"].values():
        if resource["Type"].startswith(callers):
            text = json.dumps(resource["Properties"])
            assert not [name for name in functions if f'["{name}", "Arn"]' in text]


def test_every_state_machine_is_a_version_behind_an_alias_and_a_version_that_is_replaced_stays(
    template: Template,
) -> None:
    machines = template.of_type("AWS::StepFunctions::StateMachine")
    versions = template.of_type("AWS::StepFunctions::StateMachineVersion")
    assert sorted(version["StateMachineArn"]["Ref"] for version in versions.values()) == sorted(machines)
    for name, version in versions.items():
        assert version["StateMachineRevisionId"]["Fn::GetAtt"][0] == version["StateMachineArn"]["Ref"]
        assert template.raw["Resources"][name]["UpdateReplacePolicy"] == "Retain"
    aliases = template.of_type("AWS::StepFunctions::StateMachineAlias")
    moved = {alias["DeploymentPreference"]["StateMachineVersionArn"]["Fn::GetAtt"][0] for alias in aliases.values()}
    assert (moved, {alias["Name"] for alias in aliases.values()}) == (set(versions), {"live"})


def test_an_event_starts_the_alias_by_a_right_on_the_state_machine(template: Template) -> None:
    """Source: Step Functions Developer Guide, "Authorization for versions and aliases"."""
    aliases = template.of_type("AWS::StepFunctions::StateMachineAlias")
    starting = [
        rule["Targets"][0]
        for rule in template.of_type("AWS::Events::Rule").values()
        if rule["Targets"][0]["Arn"].get("Ref") in aliases
    ]
    assert len(starting) == 2
    for target in starting:
        [right] = template.statements(target["RoleArn"]["Fn::GetAtt"][0])
        [machine] = right["Resource"]
        assert right["Action"] == ["states:StartExecution"]
        assert machine["Ref"] in template.of_type("AWS::StepFunctions::StateMachine")
        assert f"{machine['Ref'][:4]}" == target["Arn"]["Ref"][:4]


def test_unless_it_is_set_a_change_is_there_at_once(template: Template) -> None:
    assert template.of_type("AWS::CodeDeploy::DeploymentGroup") == {}
    for name in template.of_type("AWS::Lambda::Alias"):
        assert "UpdatePolicy" not in template.raw["Resources"][name]


def test_gradually_what_callers_wait_for_is_shifted_and_turned_back_on_its_alarms(everything: Path) -> None:
    template = with_aliases(everything)
    functions, groups = live(template), template.of_type("AWS::CodeDeploy::DeploymentGroup")
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    shifted = set()
    for name, function in functions.items():
        policy = template.raw["Resources"][name].get("UpdatePolicy")
        if policy is None:
            continue
        shifted.add(function)
        group = groups[policy["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        [watched] = [alarms[each["Name"]["Ref"]] for each in group["AlarmConfiguration"]["Alarms"]]
        assert metrics_of(watched) == {"Invocations", "Errors", "Throttles", "Duration"}
    assert shifted == GRADUALLY
    assert len(groups) == len(GRADUALLY)


def metrics_of(alarm: Properties) -> set[str]:
    """What an alarm looks at, of the new version alone."""
    metrics = [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]
    assert all("ExecutedVersion" in {each["Name"] for each in metric["Dimensions"]} for metric in metrics)
    return {metric["MetricName"] for metric in metrics}


def test_a_function_has_the_concurrency_that_is_set(everything: Path) -> None:
    template = with_aliases(everything)
    reserved = {
        name: made["ReservedConcurrentExecutions"]
        for name, made in template.of_type("AWS::Lambda::Function").items()
        if "ReservedConcurrentExecutions" in made
    }
    assert reserved == {"Outbox": 10}
    [ready] = template.of_type("AWS::ApplicationAutoScaling::ScalableTarget").values()
    assert (ready["MinCapacity"], ready["MaxCapacity"]) == (2, 20)
    assert "ApiQueryLive" in written(ready["ResourceId"])
    [policy] = template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
    }


def test_a_function_starts_from_a_snapshot_where_python_can(
    assembled: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_PYTHON", "3.13")
    functions = with_aliases(assembled(functions={"api_query": {"snap_start": True}})).of_type("AWS::Lambda::Function")
    snapped = {name: made["SnapStart"] for name, made in functions.items() if "SnapStart" in made}
    assert snapped == {"ApiQuery": {"ApplyOn": "PublishedVersions"}}


@pytest.mark.parametrize(
    ("functions", "python", "why"),
    [
        ({"nobody": {}}, "3.13", "functions.nobody: there is no such function"),
        (
            {"api_query": {"snap_start": True}},
            "3.11",
            "api_query.snap_start: Lambda takes none of Python 3.11",
        ),
    ],
)
def test_what_a_function_cannot_be_set_to_stops_synth(
    assembled: Synthesized, monkeypatch: pytest.MonkeyPatch, functions: dict[str, Any], python: str, why: str
) -> None:
    monkeypatch.setenv("LAMBDA_PYTHON", python)
    with pytest.raises(InvalidSettings, match=why):
        assembled(functions=functions)


def test_each_stack_has_room_for_more_resources(everything: Path) -> None:
    """CloudFormation takes 500."""
    for file in everything.glob("*.template.json"):
        assert len(json.loads(file.read_text())["Resources"]) <= 450, file.name


def test_on_one_machine_these_types_are_left_out_and_nothing_refers_to_them(everything: Path) -> None:
    left_out = set()
    for stack in (data_stack(LOCAL_ENVIRONMENT), application_stack(LOCAL_ENVIRONMENT)):
        template = json.loads((everything / f"{stack}.template.json").read_text())
        local = for_emulator(template, stack, "deployment", "http://127.0.0.1:4566")
        types = {resource["Type"] for resource in template["Resources"].values()}
        kept = {resource["Type"] for resource in local["Resources"].values()}
        assert kept <= types
        left_out |= types - kept
        gone = template["Resources"].keys() - local["Resources"].keys()
        assert not [each for each in local["Resources"].values() if "Metrics" in each.get("Properties", {})]
        left = json.dumps([local["Resources"], local["Outputs"]])
        assert not [name for name in gone if f'"{name}"' in left or f"${{{name}" in left]
    assert left_out == LEFT_OUT
