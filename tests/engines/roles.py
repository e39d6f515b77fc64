"""What a call needs of the role of the function that makes it, and whether the function has it.

How it works: a call to AWS needs actions on resources, as AWS's service authorization reference has them: a transaction
those of its items, a copy in S3 a read and a write, an object that is not there a list of the bucket. The functions of
this process are held to the keys of the table and of the vault that they are granted, call by call, in every test.

Its limits: only operations that the functions call are known. What is on neither the emulator's IAM holds the deployed
functions to, by action and resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from infra.function_spec import SCAN, FunctionSpec, Grant, Rows, VaultItems
from infra.local.emulator.patches.leading_keys import leading_keys
from tests.builders.environment import VAULT_TABLE
from tests.engines.wire import Answer, Call, Check


class Need(NamedTuple):
    """An action, and what it is done on: a partition key, a queue, a bus or a replay, a bucket, an object in one.

    ``attributes`` are those that a read of items names, None where it reads all; of a grant, those that may be named.
    """

    action: str
    on: str
    attributes: frozenset[str] | None = None

    def covers(self, need: Need) -> bool:
        """Whether this, as a grant with the wildcards of IAM, allows that need."""
        named = self.attributes is None or (need.attributes is not None and need.attributes <= self.attributes)
        return self.action == need.action and named and _matching(self.on).fullmatch(need.on) is not None


_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem"}
_LISTS = {"NoSuchKey": "s3:ListBucket", "NoSuchVersion": "s3:ListBucketVersions"}


class NotAllowed(BaseException):
    """The function's role does not allow the call: `except Exception` does not catch it."""


def held(function: FunctionSpec) -> Check:
    """A check of each call of a function: it raises NotAllowed where its role does not allow it on table or vault."""
    granted: dict[str, list[Need]] = {}
    for grant in function.grants:
        for each in _granted(grant):
            granted.setdefault(each.action, []).append(each)

    def check(call: Call) -> None:
        if call.service != "dynamodb":
            return
        for need in _on_items(call):
            if not any(each.covers(need) for each in granted.get(need.action, ())):
                raise NotAllowed(f"{function.key} is not granted {need.action} on {need.on}")

    return check


def _granted(grant: Grant) -> Iterator[Need]:
    """What a grant allows on table and vault."""
    match grant:
        case Rows():
            for action, key in product(grant.actions, grant.keys):
                yield Need(on_part(action, grant.index), key)
        case VaultItems():
            named = None if grant.attributes is None else frozenset({"PK", "SK", *grant.attributes})
            for action in grant.actions:
                yield Need(on_part(action, VAULT_TABLE), grant.keys, named)


def on_part(action: str, part: str | None) -> str:
    """An action, and what it is done on where that is not the table itself: one of its indexes, or the vault."""
    return f"{action} of {part}" if part else action


@cache
def _matching(pattern: str) -> re.Pattern[str]:
    """What fits a pattern with the wildcards of IAM."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


def needed(call: Call, answer: Answer) -> Iterator[Need]:
    """What a call that was answered like that needs."""
    asked = call.parameters
    match call.service, call.operation:
        case "dynamodb", _:
            yield from _on_items(call)
        case "sqs", "SendMessage" | "SendMessageBatch":
            yield Need("sqs:SendMessage", asked["QueueUrl"].rpartition("/")[2])
        case "s3", "ListObjectsV2":
            yield Need("s3:ListBucket", asked["Bucket"])
        case "s3", "ListObjectVersions":
            yield Need("s3:ListBucketVersions", asked["Bucket"])
        case "s3", _:
            yield from _on_objects(call.operation, asked)
            # Without a list of the bucket, S3 answers "forbidden".
            if (refusal := answer.body.get("Error", {}).get("Code")) in _LISTS:
                yield Need(_LISTS[refusal], asked["Bucket"])
        case "events", "PutEvents":
            yield from {Need("events:PutEvents", f"event-bus/{entry['EventBusName']}") for entry in asked["Entries"]}
        case "events", "StartReplay":
            for arn in (asked["EventSourceArn"], asked["Destination"]["Arn"], f"replay/{asked['ReplayName']}"):
                yield Need("events:StartReplay", arn.rpartition(":")[2])
        case "events", "DescribeReplay":
            yield Need("events:DescribeReplay", f"replay/{asked['ReplayName']}")
        case "stepfunctions", "StartExecution":
            yield Need("states:StartExecution", asked["stateMachineArn"].rpartition(":")[2])
        case "lambda", "ListEventSourceMappings":
            yield Need("lambda:ListEventSourceMappings", "*")
        case "secretsmanager", "GetSecretValue":
            yield Need("secretsmanager:GetSecretValue", asked["SecretId"])
        case "sesv2", "SendEmail":
            yield Need("ses:SendEmail", asked["FromEmailAddress"])
            yield Need("ses:SendEmail", f"configuration-set/{asked['ConfigurationSetName']}")
        case _:
            raise ValueError(f"what {call.service} {call.operation} needs is not known")


def _on_items(call: Call) -> Iterator[Need]:
    keys = leading_keys(call.parameters)
    projection = call.parameters.get("ProjectionExpression")
    named = frozenset(projection.split(", ")) if projection else None
    if call.operation == "TransactWriteItems":
        for item, key in zip(call.parameters["TransactItems"], keys, strict=True):
            [(action, asked)] = item.items()
            yield Need(on_part(f"dynamodb:{_TRANSACTED[action]}", _part(asked)), key)
        return
    action = f"dynamodb:{call.operation}"
    for key in ["*"] if action == SCAN else keys:
        yield Need(on_part(action, _part(call.parameters)), key, named)


def _part(asked: Mapping[str, Any]) -> str | None:
    return VAULT_TABLE if asked.get("TableName") == VAULT_TABLE else asked.get("IndexName")


def _on_objects(operation: str, asked: Mapping[str, Any]) -> Iterator[Need]:
    if operation == "CopyObject":
        yield from _on_objects("GetObject", asked["CopySource"])
        operation = "PutObject"
    yield Need(f"s3:{operation}{'Version' if 'VersionId' in asked else ''}", f"{asked['Bucket']}/{asked['Key']}")
