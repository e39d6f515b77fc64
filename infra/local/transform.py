"""Turns the template for AWS into one that the emulator takes, and says what has to be set through the APIs instead."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.local.left_out import Template, named, without_what_is_refused

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


def for_emulator(template: Template, stack: str, bucket: str, endpoint: str) -> Template:
    """A copy of the `template` of `stack` whose functions run on this machine, without what the emulator refuses.

    `bucket` holds the code of functions and layers, under the keys it has on AWS; `endpoint` is the URL of every API.
    """
    local = without_what_is_refused(template, stack)
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
        function.pop("VpcConfig", None)
        function["Runtime"] = "provided.al2023"
        function["Code"]["S3Bucket"] = bucket
        keys = function["Environment"]["Variables"].get("JWT_JWKS_URL")
        if isinstance(keys, dict):
            _serve_keys_from(endpoint, keys)
    for layer in of_type(local, "AWS::Lambda::LayerVersion"):
        layer["Content"]["S3Bucket"] = bucket
    return local


def of_type(template: Template, resource_type: str) -> list[dict[str, Any]]:
    """The properties of every resource of that type."""
    return [properties for _, properties in named(template, resource_type)]


def function_zip(code: bytes) -> bytes:
    """The zip file of a function with our code, given as the zip file for AWS.

    The emulator looks for a program that starts the function, and starts it its own way (`forked_functions`).
    """
    data = io.BytesIO(code)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("bootstrap", "")
    return data.getvalue()


def zips(assembly: Path, stack: str, template: Template) -> Iterator[tuple[str, bytes]]:
    """The zip file of each function and each layer, with the key that the template has for it."""
    assets = json.loads((assembly / f"{stack}.assets.json").read_text(encoding="utf-8"))["files"].values()
    paths = {to["objectKey"]: asset["source"]["path"] for asset in assets for to in asset["destinations"].values()}
    for key in {function["Code"]["S3Key"] for function in of_type(template, "AWS::Lambda::Function")}:
        yield key, function_zip((assembly / paths[key]).read_bytes())
    for layer in of_type(template, "AWS::Lambda::LayerVersion"):
        key = layer["Content"]["S3Key"]
        yield key, (assembly / paths[key]).read_bytes()


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
