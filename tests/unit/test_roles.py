"""Functions in a test's process are held to the keys of the table and of the vault that they are granted."""

from typing import Any

import pytest

from infra.function_spec import BATCH_WRITE, CHECK, DELETE, GET, PUT, QUERY, FunctionSpec, Rows, VaultItems
from tests.builders.environment import VAULT_TABLE
from tests.engines.roles import NotAllowed, held, needed
from tests.engines.wire import Answer, Call

CHECKED = held(
    FunctionSpec(
        "some_function",
        (
            Rows((PUT, BATCH_WRITE), ("order#*",)),
            Rows((CHECK,), ("payment#?",)),
            Rows((QUERY,), ("*#customer#*",), index="GSI1"),
            VaultItems((GET, PUT), "*#*"),
            VaultItems((DELETE,), "*.*"),
            VaultItems((QUERY,), "*#*", attributes=("content_key",)),
        ),
    )
)


def key(partition: str) -> dict[str, Any]:
    return {"PK": {"S": partition}, "SK": {"S": "event#0000000001"}}


def read(partition: str, attributes: str | None) -> Call:
    return query(partition, TableName=VAULT_TABLE, **({"ProjectionExpression": attributes} if attributes else {}))


def query(partition: str, **more: str) -> Call:
    values = {":pk": {"S": partition}}
    return Call(
        "dynamodb", "Query", {"KeyConditionExpression": "#pk = :pk", "ExpressionAttributeValues": values, **more}
    )


def transaction(*actions: dict[str, Any]) -> Call:
    return Call("dynamodb", "TransactWriteItems", {"TransactItems": list(actions)})


def batch(*partitions: str) -> Call:
    return Call(
        "dynamodb", "BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Item": key(p)}} for p in partitions]}}
    )


@pytest.mark.parametrize(
    "call",
    [
        Call("dynamodb", "PutItem", {"Item": key("order#1")}),
        query("1#customer#c1", IndexName="GSI1"),
        transaction({"Put": {"Item": key("order#1")}}, {"ConditionCheck": {"Key": key("payment#1")}}),
        batch("order#1", "order#2"),
        Call("dynamodb", "GetItem", {"TableName": VAULT_TABLE, "Key": key("demo#c1")}),
        Call("dynamodb", "DeleteItem", {"TableName": VAULT_TABLE, "Key": key("demo.o1")}),
        read("demo#c1", "PK, content_key"),
        transaction(
            {"Put": {"TableName": "orders", "Item": key("order#1")}},
            {"Put": {"TableName": VAULT_TABLE, "Item": key("demo#c1")}},
        ),
        Call("sqs", "SendMessage", {"QueueUrl": "https://sqs/queue"}),
    ],
)
def test_what_is_granted_is_allowed(call: Call) -> None:
    CHECKED(call)


@pytest.mark.parametrize(
    "call",
    [
        Call("dynamodb", "PutItem", {"Item": key("payment#1")}),
        Call("dynamodb", "GetItem", {"Key": key("order#1")}),
        query("1#customer#c1"),
        query("1#status#c1", IndexName="GSI1"),
        transaction({"Put": {"Item": key("order#1")}}, {"ConditionCheck": {"Key": key("payment#12")}}),
        transaction({"Put": {"Item": key("payment#1")}}, {"ConditionCheck": {"Key": key("order#1")}}),
        batch("order#1", "payment#1"),
        Call("dynamodb", "Scan", {}),
        Call("dynamodb", "GetItem", {"TableName": VAULT_TABLE, "Key": key("demo.o1")}),
        Call("dynamodb", "DeleteItem", {"TableName": VAULT_TABLE, "Key": key("demo#c1")}),
        Call("dynamodb", "DeleteItem", {"TableName": "orders", "Key": key("demo.o1")}),
        Call("dynamodb", "Scan", {"TableName": VAULT_TABLE}),
        read("demo#c1", None),
        read("demo#c1", "PK, person"),
        read("demo.o1", "content_key"),
        transaction(
            {"Put": {"TableName": VAULT_TABLE, "Item": key("demo.o1")}},
            {"Put": {"TableName": "orders", "Item": key("order#1")}},
        ),
    ],
)
def test_what_is_not_granted_is_not_allowed(call: Call) -> None:
    with pytest.raises(NotAllowed, match="some_function is not granted"):
        CHECKED(call)


@pytest.mark.parametrize(
    ("call", "refusal", "expected"),
    [
        (("GetObject", {}), None, {("s3:GetObject", "b/k")}),
        (("GetObject", {}), "NoSuchKey", {("s3:GetObject", "b/k"), ("s3:ListBucket", "b")}),
        (
            ("GetObject", {"VersionId": "1"}),
            "NoSuchVersion",
            {("s3:GetObjectVersion", "b/k"), ("s3:ListBucketVersions", "b")},
        ),
        (
            ("CopyObject", {"CopySource": {"Bucket": "b", "Key": "from", "VersionId": "1"}}),
            None,
            {("s3:GetObjectVersion", "b/from"), ("s3:PutObject", "b/k")},
        ),
    ],
)
def test_s3_needs_more_than_the_action_of_the_calls_name(
    call: tuple[str, dict[str, Any]], refusal: str | None, expected: set[tuple[str, str]]
) -> None:
    operation, parameters = call
    answer = Answer({"Error": {"Code": refusal}} if refusal else {})
    call_needs = needed(Call("s3", operation, {"Bucket": "b", "Key": "k", **parameters}), answer)
    assert {(need.action, need.on) for need in call_needs} == expected
