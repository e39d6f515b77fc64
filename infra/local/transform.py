"""Turns the template for AWS into one that the emulator takes, and says what has to be set through the APIs instead."""

import copy
import io
import json
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

RUNTIME = Path(__file__).with_name("lambda_runtime.py")
# A template that has one of these is refused.
REFUSED_TYPES = {"AWS::Events::Archive", "AWS::Events::EventBusPolicy"}
# Grants of these on a single resource are refused.
ONLY_ON_ANY_RESOURCE = {
    *("events:DescribeReplay", "events:StartReplay"),
    *("secretsmanager:GetSecretValue", "ses:SendEmail"),
}
# To the emulator these are actions of their own; to AWS, grants of the first cover the second.
COVERED = {"sqs:SendMessage": "sqs:SendMessageBatch"}
# They deny what does not come over TLS, which nothing on the loopback interface does.
RESOURCE_POLICIES = {"AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"}
WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}

# It does not say what is wrong with a body.
WHAT_IS_WRONG = ("$context.error.validationErrorString", "$context.error.message")

# Functions of the runtime `provided` get no layers, so what is in one is in the function's package.
LAYER = "AWS::Lambda::LayerVersion"

Template = dict[str, Any]


def for_emulator(template: Template, bucket: str, endpoint: str) -> Template:
    """A copy of `template` whose functions run on this machine, without what the emulator refuses.

    `bucket` holds the functions' packages, under the keys they have on AWS; `endpoint` is the URL of every API.
    """
    local = copy.deepcopy(template)
    for name, resource in template["Resources"].items():
        if resource["Type"] in {*REFUSED_TYPES, LAYER}:
            del local["Resources"][name]
    for resource in local["Resources"].values():
        _adapt(resource)
    # CDK's check of its own bootstrap stack, which the emulator does not have.
    del local["Parameters"]["BootstrapVersion"], local["Rules"]["CheckBootstrapVersion"]
    for response in of_type(local, "AWS::ApiGateway::GatewayResponse"):
        for media_type, text in response["ResponseTemplates"].items():
            response["ResponseTemplates"][media_type] = text.replace(*WHAT_IS_WRONG)
    for stage in of_type(local, "AWS::ApiGateway::Stage"):
        for settings in stage["MethodSettings"]:
            # AWS escapes the slashes of a path here.
            settings["ResourcePath"] = settings["ResourcePath"].replace("/~1", "/", 1).replace("~1", "/")
    for function in of_type(local, "AWS::Lambda::Function"):
        function["Runtime"] = "provided.al2023"
        function["Code"]["S3Bucket"] = bucket
        function.pop("Layers", None)
        keys = function["Environment"]["Variables"].get("JWT_JWKS_URL")
        if keys:
            _serve_keys_from(endpoint, keys)
    return local


def of_type(template: Template, resource_type: str) -> list[dict[str, Any]]:
    """The properties of every resource of that type."""
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == resource_type]


def package(code: Path, *layers: Path) -> bytes:
    """The zip file of a package for this machine: our code, `opt/` with what its layers hold, and the runtime.

    `code` and `layers` are folders.
    """
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for folder, inside in ((code, ""), *((layer, "opt") for layer in layers)):
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, inside / path.relative_to(folder))
        # Isolated, and without site-packages: the function sees what is in its package and nothing else.
        start = f'#!/bin/sh\nexec "{sys.executable}" -I -S "$LAMBDA_TASK_ROOT/local_runtime.py"\n'
        archive.writestr("bootstrap", start)
        archive.write(RUNTIME, "local_runtime.py")
    return data.getvalue()


def packages(assembly: Path, stack: str, template: Template) -> dict[str, bytes]:
    """The zip files of the functions' packages, by the key that the template has for the code of each."""
    folders = _folders(assembly, stack)
    layers = {
        name: folders[resource["Properties"]["Content"]["S3Key"]]
        for name, resource in template["Resources"].items()
        if resource["Type"] == LAYER
    }
    made_of: dict[str, dict[Path, None]] = defaultdict(dict)
    for function in of_type(template, "AWS::Lambda::Function"):
        made_of[function["Code"]["S3Key"]] |= dict.fromkeys(layers[layer["Ref"]] for layer in function["Layers"])
    return {key: package(folders[key], *parts) for key, parts in made_of.items()}


def _folders(assembly: Path, stack: str) -> dict[str, Path]:
    assets = json.loads((assembly / f"{stack}.assets.json").read_text(encoding="utf-8"))
    return {
        destination["objectKey"]: assembly / asset["source"]["path"]
        for asset in assets["files"].values()
        if asset["source"]["packaging"] == "zip"
        for destination in asset["destinations"].values()
    }


def _serve_keys_from(endpoint: str, url: dict[str, Any]) -> None:
    """The user pool's keys are at the emulator's address, not at the issuer's name."""
    _, parts = url["Fn::Join"]
    parts[:-2] = [f"{endpoint}/"]


def _adapt(resource: dict[str, Any]) -> None:
    properties = resource["Properties"]
    if resource["Type"] == "AWS::IAM::Policy":
        for statement in properties["PolicyDocument"]["Statement"]:
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            if ONLY_ON_ANY_RESOURCE.issuperset(actions):
                statement["Resource"] = "*"
            statement["Action"] = [*actions, *(COVERED[action] for action in actions if action in COVERED)]
    elif resource["Type"] in RESOURCE_POLICIES:
        document = properties["PolicyDocument"]
        document["Statement"] = [one for one in document["Statement"] if one.get("Condition") != WITHOUT_TLS]
