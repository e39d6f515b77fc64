"""What the template for AWS promises of erasures: who may delete personal data, and that the ledger is kept."""

from typing import Any

from tests.infra.template import Template, target_of

ROLE = "Erasure"


def grants(template: Template) -> dict[str, dict[str, set[str]]]:
    """What the erasure's role may do: by the beginning of a resource's id, the actions, and on what of it."""
    found: dict[str, dict[str, set[str]]] = {}
    for statement in template.statements(template.role_of(ROLE)):
        condition = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
        for resource in statement["Resource"]:
            if resource == "*":
                continue
            within = condition.get("dynamodb:LeadingKeys") or [_path(resource)]
            actions = found.setdefault(target_of(resource).rstrip("0123456789ABCDEF"), {})
            for action in statement["Action"]:
                actions.setdefault(action, set()).update(within)
    return found


def _path(resource: Any) -> str:
    match resource:
        case {"Fn::Join": ["", [_, str(path)]]}:
            return path
    return ""


def test_it_may_do_this_and_no_more(template: Template) -> None:
    everybody = {"*#*", "*.*"}
    assert grants(template) == {
        "Orders": {"dynamodb:Query": {"order#*", "cancellation#*"}, "dynamodb:PutItem": {"erasure#*"}},
        "Vault": {"dynamodb:Query": everybody, "dynamodb:DeleteItem": everybody},
        "DeadLetterBucket": {
            "s3:ListBucketVersions": {""},
            "s3:GetObjectVersion": {"/*"},
            "s3:DeleteObjectVersion": {"/*"},
        },
        "ErasureLedger": {"s3:ListBucket": {""}, "s3:GetObject": {"/*"}, "s3:PutObject": {"/*"}},
        "ErasureLogs": {"logs:CreateLogStream": {""}, "logs:PutLogEvents": {""}},
    }


def test_nobody_else_may_delete_a_person(template: Template) -> None:
    deleting = set()
    for name in template.of_type("AWS::Lambda::Function"):
        for statement in template.statements(template.role_of(name)):
            keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
            if "*#*" in keys and "dynamodb:DeleteItem" in statement["Action"]:
                deleting.add(name)
    assert deleting == {ROLE}


def test_the_ledger_keeps_its_versions(template: Template) -> None:
    [name] = [each for each in template.of_type("AWS::S3::Bucket") if each.startswith("ErasureLedger")]
    bucket = template.raw["Resources"][name]
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_its_state_machine_may_call_its_function_alone(template: Template) -> None:
    [machine] = [
        each
        for each in template.of_type("AWS::StepFunctions::StateMachine").values()
        if each["StateMachineName"].endswith("-Erasure")
    ]
    called = {
        target_of(resource)
        for statement in template.statements(target_of(machine["RoleArn"]))
        for resource in statement["Resource"]
        if "lambda:InvokeFunction" in statement["Action"]
    }
    assert called == {ROLE}
