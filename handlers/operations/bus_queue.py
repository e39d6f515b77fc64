"""A queue of one's own on a bus, for those who want to see what crosses it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient


def open_queue(
    events: EventBridgeClient,
    sqs: SQSClient,
    bus: str,
    name: str,
    pattern: Mapping[str, Any],
    *,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Make a queue, and a rule of the same name that sends it what matches ``pattern`` on the bus; returns its URL."""
    url = sqs.create_queue(QueueName=name, tags=dict(tags or {}))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": name, "Arn": arn}])
    return url


def remove_queue(events: EventBridgeClient, sqs: SQSClient, bus: str, name: str) -> None:
    """Remove a queue and its rule, or as much as there is of them. The queue goes last: by it the rest is found."""
    with contextlib.suppress(events.exceptions.ResourceNotFoundException):
        events.remove_targets(Rule=name, EventBusName=bus, Ids=[name])
    with contextlib.suppress(events.exceptions.ResourceNotFoundException):
        events.delete_rule(Name=name, EventBusName=bus)
    with contextlib.suppress(sqs.exceptions.QueueDoesNotExist):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
