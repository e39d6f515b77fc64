"""Questions to a CloudFormation template."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.names import LOCAL_ENVIRONMENT, application_stack, data_stack

Properties = dict[str, Any]

FOR_THE_OTHER = "PublishOutput"
"""What the names of outputs begin with that CDK makes for the other stack."""


@dataclass(frozen=True)
class Template:
    """A synthesized template, or several as one."""

    raw: dict[str, Any]

    def of_type(self, resource_type: str) -> dict[str, Properties]:
        """Every resource of that type: its properties by its logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.raw["Resources"].items()
            if resource["Type"] == resource_type
        }

    def only(self, resource_type: str) -> tuple[str, Properties]:
        """The one resource of that type."""
        [(name, properties)] = self.of_type(resource_type).items()
        return name, properties

    def statements(self, role: str) -> Iterator[Properties]:
        """Every statement of the policies of the role with that logical id, actions and resources as lists."""
        assert "ManagedPolicyArns" not in self.raw["Resources"][role]["Properties"]
        for policy in self.of_type("AWS::IAM::Policy").values():
            if {"Ref": role} in policy["Roles"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield {
                        **statement,
                        "Action": listed(statement["Action"]),
                        "Resource": listed(statement["Resource"]),
                    }

    def role_of(self, function: str) -> str:
        """The logical id of the function's role."""
        return target_of(self.of_type("AWS::Lambda::Function")[function]["Role"])


def synthesized(assembly: Path, environment: str = LOCAL_ENVIRONMENT) -> Template:
    """The templates of an environment in that folder, as one: what one reads from the other is a reference.

    What refers to an alias refers to what has that alias.
    """
    template = with_aliases(assembly, environment)
    stand_for = {name: each["FunctionName"]["Ref"] for name, each in template.of_type("AWS::Lambda::Alias").items()}
    versions = template.of_type("AWS::StepFunctions::StateMachineVersion")
    for name, alias in template.of_type("AWS::StepFunctions::StateMachineAlias").items():
        version = versions[alias["DeploymentPreference"]["StateMachineVersionArn"]["Fn::GetAtt"][0]]
        stand_for[name] = version["StateMachineArn"]["Ref"]
    return Template(_without_aliases(template.raw, stand_for))


def with_aliases(assembly: Path, environment: str = LOCAL_ENVIRONMENT) -> Template:
    """The same, as it is deployed: what calls a function calls its alias."""
    data, application = (
        json.loads((assembly / f"{name(environment)}.template.json").read_text(encoding="utf-8"))
        for name in (data_stack, application_stack)
    )
    told = {name: each["Value"] for name, each in data["Outputs"].items()}
    outputs = {name: each for name, each in data["Outputs"].items() if not name.startswith(FOR_THE_OTHER)}
    return Template(
        {
            part: {**data.get(part, {}), **_imported(application.get(part, {}), told)}
            for part in ("Parameters", "Rules", "Resources")
        }
        | {"Outputs": {**outputs, **_imported(application["Outputs"], told)}}
    )


def _imported(value: Any, told: dict[str, Any]) -> Any:
    """A part of a template, with what the other stack tells in place of where it is read."""
    match value:
        case {"Fn::GetStackOutput": {"OutputName": str(name)}}:
            return told[name]
        case dict():
            return {key: _imported(each, told) for key, each in value.items()}
        case list():
            return [_imported(each, told) for each in value]
    return value


def _without_aliases(value: Any, stand_for: dict[str, str]) -> Any:
    match value:
        case {"Ref": str(name)} if name in stand_for:
            machine = "StateMachine" in stand_for[name]
            return {"Ref": stand_for[name]} if machine else {"Fn::GetAtt": [stand_for[name], "Arn"]}
        case dict():
            return {key: _without_aliases(each, stand_for) for key, each in value.items()}
        case list():
            return [_without_aliases(each, stand_for) for each in value]
    return value


def metrics_of(alarm: Properties) -> list[Properties]:
    """The metrics that an alarm looks at, one or several: namespace, name and dimensions of each."""
    if "MetricName" in alarm:
        return [{name: alarm.get(name, []) for name in ("Namespace", "MetricName", "Dimensions")}]
    metrics = [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]
    return [{"Dimensions": [], **each} for each in metrics]


def alarms_on(template: Template, metric: str) -> list[Properties]:
    """The alarms that look at a metric of that name."""
    alarms = template.of_type("AWS::CloudWatch::Alarm").values()
    return [alarm for alarm in alarms if any(each["MetricName"] == metric for each in metrics_of(alarm))]


def listed(value: Any) -> list[Any]:
    """A value that may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def target_of(reference: Any) -> str:
    """The logical id that a Ref, a GetAtt, or an ARN joined from one, is about."""
    match reference:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            return name
        case {"Fn::Join": [_, parts]}:
            [name] = {target_of(part) for part in parts if isinstance(part, dict) and not is_pseudo(part)}
            return name
    raise AssertionError(f"not a reference: {reference}")


def written(value: Any) -> str:
    """A text of the template as `Fn::Sub` would have it: references in braces."""
    match value:
        case {"Fn::Join": ["", parts]}:
            return "".join(map(written, parts))
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
    return str(value)


def document_in(policy: Any) -> Any:
    """The document of a policy, which is text where the resource takes no other."""
    return json.loads(written(policy)) if isinstance(policy, str) or "Fn::Join" in policy else policy


def is_pseudo(reference: dict[str, Any]) -> bool:
    """Whether it is one of CloudFormation's own, such as AWS::Region."""
    return str(reference.get("Ref", "")).startswith("AWS::")
