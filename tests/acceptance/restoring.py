"""Changing settings of the environment for the time of a block; they are as before after it, whatever happens in it.

What is restored is not interrupted: it waits by itself until AWS takes it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

_BUSY = {"ResourceInUseException", "ResourceConflictException"}
"""What Lambda answers while another change of the same thing is under way."""

_BUSY_FOR_SECONDS = 300.0
_AGAIN_AFTER_SECONDS = 3.0


def patiently(change: Callable[[], object]) -> None:
    """Make a change as soon as no other of the same thing is under way.

    Raises:
        ClientError: it is refused, or another is under way for too long.
    """
    deadline = time.monotonic() + _BUSY_FOR_SECONDS
    while True:
        try:
            change()
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_AFTER_SECONDS)
        else:
            return


@contextmanager
def queue_policy(sqs: Any, url: str, statement: Mapping[str, Any]) -> Iterator[None]:
    """A queue with a further statement in its policy, about itself."""
    wanted = ["QueueArn", "Policy"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    policy = json.loads(before.get("Policy") or '{"Version": "2012-10-17", "Statement": []}')
    policy["Statement"] = [*policy["Statement"], {**statement, "Resource": before["QueueArn"]}]
    try:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": before.get("Policy", "")})


@contextmanager
def retried(client: Any, mapping: Mapping[str, Any], times: int) -> Iterator[None]:
    """An event source mapping of Lambda that retries so many times."""

    def retry(attempts: int) -> None:
        client.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=attempts)

    try:
        patiently(lambda: retry(times))
        yield
    finally:
        patiently(lambda: retry(mapping["MaximumRetryAttempts"]))


@contextmanager
def published_version(client: Any, function: str, **changed: Any) -> Iterator[str]:
    """A version of a function with some of its settings changed, which nothing calls; its number.

    The settings of the function itself are as before as soon as the version is there.
    """
    before = client.get_function_configuration(FunctionName=function)
    version = None
    try:
        try:
            patiently(lambda: client.update_function_configuration(FunctionName=function, **changed))
            client.get_waiter("function_updated_v2").wait(FunctionName=function)
            version = client.publish_version(FunctionName=function)["Version"]
        finally:
            kept = {name: before.get(name, "") for name in changed}
            patiently(lambda: client.update_function_configuration(FunctionName=function, **kept))
            client.get_waiter("function_updated_v2").wait(FunctionName=function)
        client.get_waiter("published_version_active").wait(FunctionName=function, Qualifier=version)
        yield version
    finally:
        if version is not None:
            patiently(lambda: client.delete_function(FunctionName=function, Qualifier=version))


@contextmanager
def stand_in(iam: Any, role: str, account: str, name: str) -> Iterator[str]:
    """A role with the inline policies of another, which principals of the account may assume; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    policies: list[str] = []
    try:
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            policies.append(policy)
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
        yield made
    finally:
        for policy in policies:
            with contextlib.suppress(iam.exceptions.NoSuchEntityException):
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)
