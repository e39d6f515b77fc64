"""What becomes of what fails: dead-letter queues of rules, on-failure destinations, redriven executions."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterMessage
from handlers.operations.redrive import redrive
from handlers.table import keys
from handlers.table.codec import encode
from tests.acceptance import orders
from tests.acceptance.check import Evidence, Wrong
from tests.acceptance.environment import Environment
from tests.acceptance.restoring import queue_policy, retried
from tests.acceptance.watch import Watch

_FUNCTION = "counting_projections"
"""Its rule may not send to its queue for a moment. No other check looks at it."""

_POLICY_HOLDS_AFTER_SECONDS = 60.0
"""Source: Amazon SQS API Reference, SetQueueAttributes."""


def dead_letters_of_rules(environment: Environment, watch: Watch) -> Evidence:
    """Deny a rule its target for a moment: the event becomes a dead-letter message, and is redriven after that."""
    placed: list[str] = []
    sqs, bucket = environment.client("sqs"), environment.dead_letters
    deny = {"Effect": "Deny", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    with queue_policy(sqs, environment.queue_url(_FUNCTION), deny):
        found = watch.trying(
            lambda: placed.append(orders.by_bus(environment)),
            lambda: _about(bucket, placed),
            f"a dead-letter message of {_FUNCTION}",
        )
    message = next(iter(found.values()))
    watch.pause(_POLICY_HOLDS_AFTER_SECONDS, "the rule may send again")
    for order_id in placed:
        orders.confirmed(environment, watch, order_id)
    operator = environment.client("sts").get_caller_identity()["Arn"]
    stored = list(_about(bucket, placed))
    done = list(redrive(bucket, stored, sqs, environment.queue_url, operator=operator, rate=10))
    if problems := [str(each.problem) for each in done if each.problem]:
        raise Wrong(f"not redriven: {'; '.join(problems)}")
    return {"error": message.error, "reason": message.reasons, "source": message.source, "redriven": len(done)}


def _about(bucket: DeadLetterBucket, order_ids: Collection[str]) -> dict[str, DeadLetterMessage]:
    """The open messages of the function about these orders, by their keys."""
    stored = bucket.read_all(bucket.open_keys(source=_FUNCTION, since=datetime.now(UTC).date()))
    return {key: message for key, message in stored if any(f'"{each}"' in message.body for each in order_ids)}


def redriven_execution(environment: Environment, watch: Watch) -> Evidence:
    """Start the order saga with an order id that is none: a bug to it, so it fails, and can be redriven."""
    client = environment.client("stepfunctions")
    started = client.start_execution(
        stateMachineArn=environment.outputs["LiveStateMachineArn"], input=json.dumps({"order_id": 1})
    )["executionArn"]

    def failed(times: int) -> Any:
        now = client.describe_execution(executionArn=started)
        ended = now["status"] == "FAILED" and now.get("redriveCount", 0) == times
        return now if ended else None

    first = watch.until(lambda: failed(0), "the execution failed")
    client.redrive_execution(executionArn=started)
    again = watch.until(lambda: failed(1), "the redriven execution failed again")
    return {"execution": started, "error": first["error"], "redriveCount": again["redriveCount"]}


def stream_failures(environment: Environment, watch: Watch) -> Evidence:
    """Let the stock watch get a stock level that it cannot read, without retries: the record ends in the bucket."""
    s3, bucket = environment.client("s3"), environment.outputs["StreamFailuresBucketName"]
    mapping = _stream_mapping(environment, "stock_watch")
    dynamodb, table = environment.client("dynamodb"), environment.outputs["TableName"]
    key = keys.level(orders.new_id())
    since = datetime.now(UTC)

    def spoil() -> None:
        dynamodb.put_item(TableName=table, Item=encode({"PK": key.pk, "SK": key.sk, "spoiled": str(time.time())}))

    def stored() -> tuple[str, str] | None:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for each in (found for page in pages for found in page.get("Contents", [])):
            if each["LastModified"] >= since.replace(microsecond=0):
                text = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode()
                if key.pk in text:
                    return each["Key"], json.loads(text)["requestContext"]["condition"]
        return None

    try:
        with retried(environment.client("lambda"), mapping, 0):
            name, condition = watch.trying(spoil, stored, "the record in the bucket of stream failures")
        return {"condition": condition, "kept as": name}
    finally:
        dynamodb.delete_item(TableName=table, Key=key.attributes)


def _stream_mapping(environment: Environment, function: str) -> Any:
    """What feeds a function from the table's stream."""
    name = environment.function_name(function)
    for page in environment.client("lambda").get_paginator("list_event_source_mappings").paginate():
        for each in page["EventSourceMappings"]:
            if each["FunctionArn"].split(":")[6] == name and ":dynamodb:" in each["EventSourceArn"]:
                return each
    raise Wrong(f"nothing feeds {function}")
