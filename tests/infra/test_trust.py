"""Services of AWS that are let in act for this account alone: no other can use them as its deputies."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION
from tests.infra.template import Properties, Template, document_in, listed, written

ACCOUNT, REGION = EMULATOR_ACCOUNT, EMULATOR_REGION
OF_THIS_ACCOUNT = {"aws:SourceAccount": ACCOUNT}
SAYS_FOR_WHOM = {
    "lambda.amazonaws.com": OF_THIS_ACCOUNT,
    "states.amazonaws.com": OF_THIS_ACCOUNT,
    "events.amazonaws.com": OF_THIS_ACCOUNT,
    "scheduler.amazonaws.com": OF_THIS_ACCOUNT,
    "firehose.amazonaws.com": {"sts:ExternalId": ACCOUNT},
    # It says nothing when it assumes a role, so a condition would keep it out.
    "apigateway.amazonaws.com": None,
}
NAMES_ITS_SOURCE = {
    "states.amazonaws.com": "states",
    "events.amazonaws.com": "events",
    "scheduler.amazonaws.com": "scheduler",
}
# A service that names no account to a key would fail to notify, unnoticed.
WITHOUT_A_SOURCE = {("AWS::KMS::Key", "cloudwatch.amazonaws.com")}
# EventBridge names no rule when it makes a stream in a log group, which is empty then.
HARMLESS = ("logs:CreateLogStream",)
POLICIES = ("PolicyDocument", "KeyPolicy", "ResourcePolicy", "Policy")


@pytest.fixture(params=["template", "of_pool"])
def either(request: pytest.FixtureRequest, templates: Mapping[str, Template]) -> Template:
    """The template for AWS, then the one where the gateway's own authorizer checks tokens."""
    return templates[request.param]


def test_a_role_trusts_its_service_for_this_account_alone(either: Template) -> None:
    roles = either.of_type("AWS::IAM::Role")
    trusted = set()
    for name, role in roles.items():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        [(kind, service)] = statement["Principal"].items()
        assert (kind, statement["Action"]) == ("Service", "sts:AssumeRole"), name
        conditions = statement.get("Condition", {})
        assert conditions.get("StringEquals") == SAYS_FOR_WHOM[service], name
        if service in NAMES_ITS_SOURCE:
            source = written(conditions["ArnLike"]["aws:SourceArn"])
            assert source.startswith(f"arn:${{AWS::Partition}}:{NAMES_ITS_SOURCE[service]}:{REGION}:{ACCOUNT}:"), name
        trusted.add(service)
    assert trusted == SAYS_FOR_WHOM.keys()


def test_a_state_machines_role_trusts_that_machine_alone(template: Template) -> None:
    for machine in template.of_type("AWS::StepFunctions::StateMachine").values():
        role = template.of_type("AWS::IAM::Role")[machine["RoleArn"]["Fn::GetAtt"][0]]
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        source = written(statement["Condition"]["ArnLike"]["aws:SourceArn"])
        assert source.endswith(f":{REGION}:{ACCOUNT}:stateMachine:{machine['StateMachineName']}")


def test_a_resource_lets_a_service_in_for_this_account_or_for_a_resource_of_ours_alone(either: Template) -> None:
    let_in = list(services_let_in(either))
    kinds = {kind for kind, _, _ in let_in}
    assert {"AWS::Lambda::Permission", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"} < kinds
    for kind, service, conditions in let_in:
        if (kind, service) not in WITHOUT_A_SOURCE:
            ours = conditions.get("aws:SourceAccount") == ACCOUNT or names_one_of(either, conditions["aws:SourceArn"])
            assert ours, (kind, service, conditions)


def services_let_in(template: Template) -> Iterator[tuple[str, str, Properties]]:
    """What resource policies allow: the type of the resource, the service, and the conditions by their keys."""
    for resource in template.raw["Resources"].values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::Lambda::Permission":
            yield kind, properties["Principal"], {f"aws:{key}": value for key, value in properties.items()}
        for document in (properties[name] for name in POLICIES if isinstance(properties.get(name), Mapping)):
            for statement in listed(document_in(document)["Statement"]):
                if statement["Action"] in HARMLESS:
                    continue
                principal = statement.get("Principal", {})
                if statement["Effect"] == "Allow" and isinstance(principal, Mapping):
                    keys = {
                        key: value for each in statement.get("Condition", {}).values() for key, value in each.items()
                    }
                    yield from ((kind, service, keys) for service in listed(principal.get("Service", [])))


def names_one_of(template: Template, arn: Any) -> bool:
    """Whether an ARN is that of a resource of the template, or is made from one of its names and the account."""
    match arn:
        case [*arns]:
            return all(names_one_of(template, each) for each in arns)
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name in template.raw["Resources"]
        case str() if reference := re.fullmatch(r"\$\{(\w+)\.Arn\}", arn):
            return reference.group(1) in template.raw["Resources"]
        case {"Fn::Join": ["", parts]}:
            names = [part["Ref"] for part in parts if isinstance(part, dict)]
            return ACCOUNT in written(arn) and any(name in template.raw["Resources"] for name in names)
    return False
