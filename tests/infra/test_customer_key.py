"""The key of an environment's own: what holds orders is encrypted with it, and who reaches that may use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION
from tests.infra.template import Properties, Template, listed, synthesized, written

BUCKET_RULE = "BucketEncryption.ServerSideEncryptionConfiguration"
ENCRYPTED = {
    "AWS::Backup::BackupVault": "EncryptionKeyArn",
    "AWS::DynamoDB::Table": "SSESpecification.KMSMasterKeyId",
    "AWS::Events::Archive": "KmsKeyIdentifier",
    "AWS::Events::EventBus": "KmsKeyIdentifier",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamEncryptionConfigurationInput.KeyARN",
    "AWS::Lambda::Function": "KmsKeyArn",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::S3::Bucket": f"{BUCKET_RULE}.ServerSideEncryptionByDefault.KMSMasterKeyID",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
    "AWS::StepFunctions::StateMachine": "EncryptionConfiguration.KmsKeyId",
}
"""Where each type names its key."""

NO_KEY_FOR = {
    # Lambda does so by the function's role, or names alone are asked for.
    *("sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    *("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetBucketLocation"),
    *("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"),
}
"""Actions on what is encrypted that decrypt nothing."""

WRITE = {"kms:Decrypt", "kms:GenerateDataKey"}
TABLE = {"kms:Decrypt", "kms:DescribeKey"}
TABLE_WRITE = TABLE | {"kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"}
USES = {
    "order_intake": {"dynamodb": TABLE_WRITE, "secretsmanager": {"kms:Decrypt"}, "sqs": WRITE},
    "file_import": {"dynamodb": TABLE_WRITE, "s3": WRITE, "sqs": WRITE},
    "outbox": {"dynamodb": TABLE, "s3": WRITE, "sqs": WRITE},
    "api_query": {"dynamodb": TABLE},
    "api_authorizer": {},
}
"""What some functions do with the key, by the service through which they do it."""


@pytest.fixture(scope="module")
def keyed(everything: Path) -> Template:
    """The template with a key of the environment's own."""
    return synthesized(everything)


def key_of(template: Template) -> str:
    """The logical id of the key, which is not the one of alarms."""
    topic = next(iter(template.of_type("AWS::SNS::Topic").values()))
    [key] = template.of_type("AWS::KMS::Key").keys() - {topic["KmsMasterKeyId"]["Fn::GetAtt"][0]}
    return key


def at(properties: Any, path: str) -> Any:
    """What is at a path of a resource's properties; of a list, at that of its only item."""
    for name in path.split("."):
        [properties] = listed(properties)
        properties = properties.get(name, {})
    return properties


@pytest.mark.parametrize("resource_type", ENCRYPTED)
def test_all_that_holds_orders_is_encrypted_with_it(keyed: Template, resource_type: str) -> None:
    made = keyed.of_type(resource_type)
    assert made
    own = {"Fn::GetAtt": [key_of(keyed), "Arn"]}
    others = {name for name, each in made.items() if at(each, ENCRYPTED[resource_type]) != own}
    # S3 delivers no access logs to a bucket with such a key.
    logs = {name for name in made if resource_type == "AWS::S3::Bucket" and name.startswith("BucketLogs")}
    assert others == logs


def test_no_queue_is_encrypted_by_sqs_besides(keyed: Template) -> None:
    assert not any("SqsManagedSseEnabled" in queue for queue in keyed.of_type("AWS::SQS::Queue").values())


def test_it_is_turned_and_kept(keyed: Template) -> None:
    key = keyed.raw["Resources"][key_of(keyed)]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_whoever_reaches_what_it_encrypts_may_use_it_by_that_service_and_by_no_other(keyed: Template) -> None:
    """Roles of functions, of the gateway, of Firehose and of rules; and the policies of who drops files."""
    reaching = 0
    for name, statements in principals(keyed):
        needed = {
            action.partition(":")[0]
            for statement in statements
            for action in statement["Action"]
            if action.startswith(("dynamodb:", "s3:", "secretsmanager:", "sqs:")) and action not in NO_KEY_FOR
        }
        assert uses(keyed, statements).keys() == needed, name
        reaching += bool(needed)
    assert reaching > len(keyed.of_type("AWS::Lambda::Function"))


@pytest.mark.parametrize("key", USES)
def test_a_function_may_do_with_it_what_its_other_rights_need(keyed: Template, key: str) -> None:
    name = "".join(part.capitalize() for part in key.split("_"))
    assert uses(keyed, list(keyed.statements(keyed.role_of(name)))) == USES[key]


def principals(template: Template) -> Iterator[tuple[str, list[Properties]]]:
    """The statements of every role and of every managed policy."""
    for role, made in template.of_type("AWS::IAM::Role").items():
        if "ManagedPolicyArns" not in made:
            yield role, list(template.statements(role))
    for policy, made in template.of_type("AWS::IAM::ManagedPolicy").items():
        statements = made["PolicyDocument"]["Statement"]
        yield policy, [{**each, "Action": listed(each["Action"])} for each in statements]


def uses(template: Template, statements: list[Properties]) -> dict[str, set[str]]:
    """What statements allow to do with the key, by the service through which it is done."""
    allowed = {}
    for statement in statements:
        via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
        if via is not None:
            assert listed(statement["Resource"]) == [{"Fn::GetAtt": [key_of(template), "Arn"]}]
            service, _, rest = via.partition(".")
            assert rest == f"{EMULATOR_REGION}.amazonaws.com"
            allowed[service] = set(statement["Action"])
    return allowed


def test_a_state_machine_encrypts_its_own_executions_and_its_logs(keyed: Template) -> None:
    for machine in keyed.of_type("AWS::StepFunctions::StateMachine").values():
        granted = {
            (action, key, written(value))
            for statement in keyed.statements(machine["RoleArn"]["Fn::GetAtt"][0])
            for action in statement["Action"]
            if action.startswith("kms:")
            for key, value in statement["Condition"]["StringEquals"].items()
        }
        place = f"{EMULATOR_REGION}:{EMULATOR_ACCOUNT}"
        own = f"arn:${{AWS::Partition}}:states:{place}:stateMachine:{machine['StateMachineName']}"
        logs = f"arn:${{AWS::Partition}}:logs:{place}:*"
        assert granted == {
            ("kms:Decrypt", "kms:EncryptionContext:aws:states:stateMachineArn", own),
            ("kms:GenerateDataKey", "kms:EncryptionContext:aws:states:stateMachineArn", own),
            ("kms:GenerateDataKey", "kms:EncryptionContext:SourceArn", logs),
        }


def test_services_may_use_it_for_what_is_of_this_account_alone(keyed: Template) -> None:
    """What is encrypted for something is decrypted for that alone, which the service names to the key."""
    statements = keyed.of_type("AWS::KMS::Key")[key_of(keyed)]["KeyPolicy"]["Statement"]
    let_in = [each for each in statements if "Service" in each["Principal"]]
    assert {each["Principal"]["Service"] for each in let_in} == {
        *("events.amazonaws.com", f"logs.{EMULATOR_REGION}.amazonaws.com", "delivery.logs.amazonaws.com")
    }
    for statement in let_in:
        if statement["Action"] == "kms:DescribeKey":
            continue  # It shows nothing, and EventBridge names nothing.
        [(key, value)] = [item for each in statement["Condition"].values() for item in each.items()]
        assert key.startswith("kms:EncryptionContext:")
        assert f":{EMULATOR_REGION}:{EMULATOR_ACCOUNT}:" in written(value)


def test_its_policy_names_nothing_that_is_made_after_it(keyed: Template) -> None:
    """Everybody else in the account may do with it what policies of their own say."""
    policy = keyed.of_type("AWS::KMS::Key")[key_of(keyed)]["KeyPolicy"]
    assert set(re.findall(r'"Ref": "([^"]+)"', json.dumps(policy))) == {"AWS::Partition"}
    assert "Fn::GetAtt" not in json.dumps(policy)
    [account] = [each for each in policy["Statement"] if "AWS" in each["Principal"]]
    assert written(account["Principal"]["AWS"]) == f"arn:${{AWS::Partition}}:iam::{EMULATOR_ACCOUNT}:root"


def test_unless_it_is_set_there_is_no_key_but_that_of_alarms(template: Template) -> None:
    name, _ = template.only("AWS::KMS::Key")
    for topic in template.of_type("AWS::SNS::Topic").values():
        assert topic["KmsMasterKeyId"]["Fn::GetAtt"][0] == name
    for resource_type, path in ENCRYPTED.items():
        for resource in template.of_type(resource_type).values():
            assert at(resource, path) == {}
