"""What of the template the emulator refuses, and what is in its place: nothing of it is seen on one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]

ARCHIVE = "AWS::Events::Archive"
FUNCTION_VERSION, FUNCTION_ALIAS = "AWS::Lambda::Version", "AWS::Lambda::Alias"
MACHINE_VERSION, MACHINE_ALIAS = "AWS::StepFunctions::StateMachineVersion", "AWS::StepFunctions::StateMachineAlias"

LEFT_OUT = {
    # Made through the API.
    ARCHIVE,
    "AWS::Events::EventBusPolicy",
    # It takes them, but calls the version without its layers: what calls an alias calls the function.
    *(FUNCTION_VERSION, FUNCTION_ALIAS),
    *(MACHINE_VERSION, MACHINE_ALIAS),
    *("AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"),
    *("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"),
    "AWS::Backup::BackupSelection",
    *("AWS::Budgets::Budget", "AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"),
    # The private network, in which functions do not run here.
    "AWS::CloudFormation::Stack",
    # They are made of others, some of which are left out.
    "AWS::CloudWatch::CompositeAlarm",
}
"""The types of resources that are left out, besides alarms on metrics that are calculated."""


def without_what_is_refused(template: Template, stack: str) -> Template:
    """A copy of the `template` of `stack` without these resources; what refers to one refers to what stands for it."""
    kept = {name: each for name, each in template["Resources"].items() if not _is_left_out(each)}
    standing = {json.dumps(reference): value for reference, value in _in_place(template, stack)}
    copied = {**template, "Resources": kept}
    made: Template = _replaced(copied, standing)
    return made


def _is_left_out(resource: Template) -> bool:
    return resource["Type"] in LEFT_OUT or (
        resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    )


def named(template: Template, resource_type: str) -> list[tuple[str, dict[str, Any]]]:
    """The logical id and the properties of every resource of that type."""
    resources = template["Resources"].items()
    return [(name, resource["Properties"]) for name, resource in resources if resource["Type"] == resource_type]


def archive_name(stack: str, logical_id: str) -> str:
    """What an archive is called on this machine, where it is made through the API."""
    return f"{stack}-{logical_id}"


def _in_place(template: Template, stack: str) -> Iterator[tuple[Any, Any]]:
    """References to what is left out, each with what is in its place."""
    for name, _ in named(template, ARCHIVE):
        archive = archive_name(stack, name)
        yield {"Ref": name}, archive
        yield (
            {"Fn::GetAtt": [name, "Arn"]},
            {"Fn::Sub": f"arn:aws:events:${{AWS::Region}}:${{AWS::AccountId}}:archive/{archive}"},
        )
    for name, alias in named(template, FUNCTION_ALIAS):
        yield {"Ref": name}, {"Fn::GetAtt": [alias["FunctionName"]["Ref"], "Arn"]}
    for name, _ in named(template, FUNCTION_VERSION):
        yield {"Fn::GetAtt": [name, "Version"]}, "$LATEST"
    versions = dict(named(template, MACHINE_VERSION))
    for name, alias in named(template, MACHINE_ALIAS):
        version = versions[alias["DeploymentPreference"]["StateMachineVersionArn"]["Fn::GetAtt"][0]]
        yield {"Ref": name}, version["StateMachineArn"]


def _replaced(value: Any, standing: dict[str, Any]) -> Any:
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} if (found := standing.get(json.dumps(value))) is not None:
            return found
        case dict():
            return {key: _replaced(each, standing) for key, each in value.items()}
        case list():
            return [_replaced(each, standing) for each in value]
    return value
