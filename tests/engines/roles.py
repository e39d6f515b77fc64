"""What a call needs of the role of the function that makes it, and whether the function has it.

How it works: a call to AWS needs actions on resources, as AWS's service authorization reference has them: a transaction
those of its items, a copy in S3 a read and a write, an object that is not there a list of the bucket. The functions of
this process are held to the keys of the table and of the vault that they are granted, call by call, in every test.

Its limits: only operations that the functions call are known. What is on neither the emulator's IAM holds the deployed
functions to, by action and resource.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from infra.function_spec import SCAN, FunctionSpec, Rows, VaultItems
from infra.local.emulator.patches.leading_keys import leading_keys
from tests.builders.environment import VAULT_TABLE
from tests.engines.wire import Answer, Call, Check

Need = tuple[str, str]
"""An action, and what it is done on: a partition key, a queue, a bus or a replay, a bucket, an object in one."""

_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem"}
_LISTS = {"NoSuchKey": "s3:ListBucket", "NoSuchVersion": "s3:ListBucketVersions"}


class NotAllowed(BaseException):
    """The function's role does not allow the call: `except Exception` does not catch it."""


def held(function: FunctionSpec) -> Check:
    """A check of each call of a function: it raises NotAllowed where its role does not allow it on table or vault."""
    granted: dict[str, list[str]] = {}
    for grant in function.grants:
        match grant:
            case Rows():
                for action in grant.actions:
                    granted.setdefault(on_part(action, grant.index), []).extend(grant.keys)
            case VaultItems():
                for action in grant.actions:
                    granted.setdefault(on_part(action, VAULT_TABLE), []).append(grant.keys)
    allowed = {action: matching(keys) for action, keys in granted.items()}

    def check(call: Call) -> None:
        if call.service != "dynamodb":
            return
        for action, key in _on_items(call):
            if action not in allowed or not allowed[action](key):
                raise NotAllowed(f"{function.key} is not granted {action} on {key}")

    return check


def on_part(action: str, part: str | None) -> str:
    """An action, and what it is done on where that is not the table itself: one of its indexes, or the vault."""
    return f"{action} of {part}" if part else action


def matching(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a name fits any of these patterns, whose wildcards are those of IAM."""
    either = re.compile("|".join(re.escape(each).replace(r"\*", ".*").replace(r"\?", ".") for each in patterns))
    return lambda name: either.fullmatch(name) is not None


def needed(call: Call, answer: Answer) -> Iterator[Need]:
    """What a call that was answered like that needs."""
    asked = call.parameters
    match call.service, call.operation:
        case "dynamodb", _:
            yield from _on_items(call)
        case "sqs", "SendMessage" | "SendMessageBatch":
            yield "sqs:SendMessage", asked["QueueUrl"].rpartition("/")[2]
        case "s3", "ListObjectsV2":
            yield "s3:ListBucket", asked["Bucket"]
        case "s3", "ListObjectVersions":
            yield "s3:ListBucketVersions", asked["Bucket"]
        case "s3", _:
            yield from _on_objects(call.operation, asked)
            # Without a list of the bucket, S3 answers "forbidden".
            if (refusal := answer.body.get("Error", {}).get("Code")) in _LISTS:
                yield _LISTS[refusal], asked["Bucket"]
        case "events", "PutEvents":
            yield from {("events:PutEvents", f"event-bus/{entry['EventBusName']}") for entry in asked["Entries"]}
        case "events", "StartReplay":
            for arn in (asked["EventSourceArn"], asked["Destination"]["Arn"], f"replay/{asked['ReplayName']}"):
                yield "events:StartReplay", arn.rpartition(":")[2]
        case "events", "DescribeReplay":
            yield "events:DescribeReplay", f"replay/{asked['ReplayName']}"
        case "secretsmanager", "GetSecretValue":
            yield "secretsmanager:GetSecretValue", asked["SecretId"]
        case "sesv2", "SendEmail":
            yield "ses:SendEmail", asked["FromEmailAddress"]
        case _:
            raise ValueError(f"what {call.service} {call.operation} needs is not known")


def _on_items(call: Call) -> Iterator[Need]:
    keys = leading_keys(call.parameters)
    if call.operation == "TransactWriteItems":
        for item, key in zip(call.parameters["TransactItems"], keys, strict=True):
            [(action, asked)] = item.items()
            yield on_part(f"dynamodb:{_TRANSACTED[action]}", _part(asked)), key
        return
    action = f"dynamodb:{call.operation}"
    for key in ["*"] if action == SCAN else keys:
        yield on_part(action, _part(call.parameters)), key


def _part(asked: Mapping[str, Any]) -> str | None:
    return VAULT_TABLE if asked.get("TableName") == VAULT_TABLE else asked.get("IndexName")


def _on_objects(operation: str, asked: Mapping[str, Any]) -> Iterator[Need]:
    if operation == "CopyObject":
        yield from _on_objects("GetObject", asked["CopySource"])
        operation = "PutObject"
    yield f"s3:{operation}{'Version' if 'VersionId' in asked else ''}", f"{asked['Bucket']}/{asked['Key']}"
