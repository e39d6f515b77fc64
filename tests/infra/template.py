"""Questions to a CloudFormation template."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.names import STACK_NAME

Properties = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """A synthesized template."""

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

    def table(self, name: str) -> tuple[str, Properties]:
        """The table of that name, by its logical id."""
        [found] = [each for each in self.of_type("AWS::DynamoDB::Table").items() if each[1]["TableName"] == name]
        return found

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


def synthesized(assembly: Path) -> Template:
    """The template in that folder."""
    return Template(json.loads((assembly / f"{STACK_NAME}.template.json").read_text(encoding="utf-8")))


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


def is_pseudo(reference: dict[str, Any]) -> bool:
    """Whether it is one of CloudFormation's own, such as AWS::Region."""
    return str(reference.get("Ref", "")).startswith("AWS::")
