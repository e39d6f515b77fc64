"""The functions that can be paused, as moto has them: what feeds each, and what the outputs of the stack name them."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

from infra.cli.connection import Connection
from infra.cli.feeds import PAUSABLE
from tests.builders.commands import loader

FUNCTION_NAMES = {f"{name}FunctionName": key for key, name in PAUSABLE.items()}
"""Each is deployed under its key."""

_TRUSTED = '{"Version": "2012-10-17", "Statement": []}'


@cache
def client(service: str) -> Any:
    with patch("botocore.session.create_loader", loader):
        return Connection(region="us-east-1").client(service)


def create_functions() -> Mapping[str, str]:
    """Make every function that can be paused, its queue, and what feeds it; returns the outputs that name them."""
    role = client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=_TRUSTED)["Role"]["Arn"]
    outputs = dict(FUNCTION_NAMES)
    for key, name in PAUSABLE.items():
        url = client("sqs").create_queue(QueueName=f"{key}-queue")["QueueUrl"]
        [arn] = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"].values()
        client("lambda").create_function(
            FunctionName=key, Role=role, Runtime="python3.13", Handler="handler", Code={"ZipFile": b""}
        )
        client("lambda").create_event_source_mapping(FunctionName=key, EventSourceArn=arn)
        outputs[f"{name}QueueUrl"] = url
    return outputs
