"""An environment's two stacks over their lives, in the emulator: failed creations, destruction, tables adopted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.app import synthesize
from infra.local.deploy import BUCKET, DeploymentError, create_stack, delete_stack, outputs_of
from infra.local.emulator.process import Emulator
from infra.local.emulator.process import emulator as run_emulator
from infra.names import application_stack, data_stack
from infra.package import Built, Package
from tests.builders.settings import settings
from tests.infra.template import Template, synthesized

NAME = "staging"
DATA, APPLICATION = data_stack(NAME), application_stack(NAME)
KEPT_OF_APPLICATION = {"AWS::StepFunctions::StateMachineVersion"}
HOLD_DATA = {
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::Table",
    "AWS::Events::Archive",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
}


@pytest.fixture(scope="module")
def unprotected(packages: dict[Package, Built], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first deployment: its stacks are not there yet."""
    return Path(
        synthesize(packages, NAME, settings(), tmp_path_factory.mktemp("cdk.out"), new=(DATA, APPLICATION)).directory
    )


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with run_emulator() as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running


def changed(assembly: Path, into: Path, stack: str, resources: dict[str, object]) -> Path:
    """The assembly with further resources in a stack."""
    into.mkdir()
    for file in assembly.iterdir():
        (into / file.name).symlink_to(file)
    path = into / f"{stack}.template.json"
    template = json.loads(path.read_text())
    template["Resources"] |= resources
    path.unlink()
    path.write_text(json.dumps(template))
    return into


def data_of(assembly: Path) -> list[dict[str, Any]]:
    """The resources of the data's stack."""
    template = json.loads((assembly / f"{DATA}.template.json").read_text())
    return list(template["Resources"].values())


def held(emulator: Emulator) -> list[str]:
    """What there is that holds data: tables, buckets but the one for deployments, pools, secrets."""
    return [
        *emulator.client("dynamodb").list_tables()["TableNames"],
        *(each["Name"] for each in emulator.client("s3").list_buckets()["Buckets"] if each["Name"] != BUCKET),
        *(each["Name"] for each in emulator.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]),
        *(each["Name"] for each in emulator.client("secretsmanager").list_secrets()["SecretList"]),
    ]


ITEM = {"PK": {"S": "order#demo.o1"}, "SK": {"S": "event#0000000001"}}
LAST = {
    "Type": "AWS::SQS::Queue",
    "Properties": {"VisibilityTimeout": 43201},
    "DependsOn": ["Orders", "Vault"],
}
"""A resource that cannot be made, once the tables are."""


def test_what_holds_data_is_kept_but_for_a_creation_that_fails(template: Template) -> None:
    for name, resource in template.raw["Resources"].items():
        kept = resource["Type"] in HOLD_DATA | KEPT_OF_APPLICATION
        policies = (resource.get("DeletionPolicy", "Delete"), resource.get("UpdateReplacePolicy", "Delete"))
        assert policies == (("RetainExceptOnCreate", "Retain") if kept else ("Delete", "Delete")), name


def test_a_failed_creation_is_in_nobodys_way_and_data_outlives_its_application(
    emulator: Emulator, unprotected: Path, tmp_path: Path
) -> None:
    broken = changed(unprotected, tmp_path / "data", DATA, {"Broken": LAST})
    with pytest.raises(DeploymentError, match=r"Broken: .*VisibilityTimeout"):
        create_stack(emulator, broken, DATA)
    assert held(emulator) == []
    delete_stack(emulator, DATA)
    create_stack(emulator, unprotected, DATA)
    kept = [each for each in data_of(unprotected) if each["Type"] in HOLD_DATA - {"AWS::Events::Archive"}]
    assert len(held(emulator)) == len(kept)

    dynamodb, functions = emulator.client("dynamodb"), emulator.client("lambda")
    before = held(emulator)
    broken = changed(
        unprotected, tmp_path / "application", APPLICATION, {"Broken": {**LAST, "DependsOn": ["OrderIntake"]}}
    )
    with pytest.raises(DeploymentError, match=r"Broken: .*VisibilityTimeout"):
        create_stack(emulator, broken, APPLICATION)
    delete_stack(emulator, APPLICATION)
    create_stack(emulator, unprotected, APPLICATION)
    outputs = outputs_of(emulator, NAME)
    dynamodb.put_item(TableName=outputs["TableName"], Item=ITEM)

    delete_stack(emulator, APPLICATION)
    assert held(emulator) == before
    assert functions.list_functions()["Functions"] == []
    assert emulator.client("stepfunctions").list_state_machines()["stateMachines"] == []

    create_stack(emulator, unprotected, APPLICATION)
    assert outputs_of(emulator, NAME)["TableName"] == outputs["TableName"]
    assert dynamodb.get_item(TableName=outputs["TableName"], Key=ITEM)["Item"] == ITEM
    intake = functions.get_function_configuration(FunctionName=outputs_of(emulator, NAME)["OrderIntakeFunctionName"])
    assert intake["Environment"]["Variables"]["TABLE_NAME"] == outputs["TableName"]


ADOPTED = {"orders": {"name": "restored", "stream": "2026-11-21T10:00:00.000"}, "vault": {"name": "restored-vault"}}


def test_tables_that_are_adopted_are_used_and_no_others_are_made(
    packages: dict[Package, Built], tmp_path: Path
) -> None:
    made = synthesized(Path(synthesize(packages, NAME, settings(adopt=ADOPTED), tmp_path).directory), NAME)
    assert made.of_type("AWS::DynamoDB::Table") == {}
    assert made.raw["Outputs"]["TableName"]["Value"] == "restored"
    variables = made.of_type("AWS::Lambda::Function")["OrderIntake"]["Environment"]["Variables"]
    assert (variables["TABLE_NAME"], variables["VAULT_TABLE_NAME"]) == ("restored", "restored-vault")
    streams = {
        json.dumps(mapping["EventSourceArn"])
        for mapping in made.of_type("AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in mapping
    }
    [stream] = streams
    assert ":table/restored/stream/2026-11-21T10:00:00.000" in stream


def test_what_is_new_is_not_protected_and_what_is_there_is(
    packages: dict[Package, Built], template: Template, tmp_path: Path
) -> None:
    assembly = Path(synthesize(packages, NAME, settings(), tmp_path, new=(DATA,)).directory)
    stacks = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    protection = {name: stacks[name]["properties"].get("terminationProtection", False) for name in (DATA, APPLICATION)}
    assert protection == {DATA: False, APPLICATION: True}
    new = synthesized(assembly, NAME)
    for made, protected in ((new, False), (template, True)):
        tables = made.of_type("AWS::DynamoDB::Table").values()
        assert {table["DeletionProtectionEnabled"] for table in tables} == {protected}
        _, pool = made.only("AWS::Cognito::UserPool")
        assert pool["DeletionProtection"] == ("ACTIVE" if protected else "INACTIVE")
