"""A temporary queue: it receives what matches a pattern on a bus, for as long as the operation that made it lives."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

ALIVE = "alive"
"""The tag of a queue that says when its process was last known to be alive, in seconds since 1970."""

_TAGGED_EVERY_SECONDS = 600
_DEAD_AFTER_SECONDS = 3600
_LONG_POLL_SECONDS = 10


@dataclass
class TemporaryQueue:
    """A queue, and the rule of the same name that sends it events."""

    sqs: SQSClient
    name: str
    url: str
    tagged_at: float

    def keep_alive(self) -> None:
        """Renew the tag that says that this process is alive, if it is old: others remove the queues of dead ones."""
        if time.monotonic() - self.tagged_at > _TAGGED_EVERY_SECONDS:
            self.sqs.tag_queue(QueueUrl=self.url, Tags=_alive())
            self.tagged_at = time.monotonic()

    def events(self) -> Iterator[dict[str, Any]]:
        """The EventBridge events that arrive in the queue, without end."""
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=_LONG_POLL_SECONDS
            )
            if messages := answer.get("Messages"):
                yield from (json.loads(message["Body"]) for message in messages)
                self.sqs.delete_message_batch(
                    QueueUrl=self.url,
                    Entries=[{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages],
                )
            self.keep_alive()

    def message_count(self) -> int:
        """About how many messages are in the queue."""
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


@contextmanager
def temporary_queue(
    events: EventBridgeClient, sqs: SQSClient, bus: str, prefix: str, pattern: Mapping[str, Any]
) -> Iterator[TemporaryQueue]:
    """A queue for the time of the block, with what matches a pattern.

    What killed processes left behind, under names with the same prefix, is removed.

    Args:
        events, sqs: clients of the account that has the bus.
        bus: the bus's name.
        prefix: what the name of the queue begins with; the rest is random.
        pattern: an EventBridge event pattern.
    """
    _remove_leftovers(events, sqs, bus, prefix)
    name = prefix + secrets.token_hex(6)
    try:
        url = open_queue(events, sqs, bus, name, pattern, tags=_alive())
        yield TemporaryQueue(sqs, name, url, time.monotonic())
    finally:
        remove_queue(events, sqs, bus, name)


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


def _remove_leftovers(events: EventBridgeClient, sqs: SQSClient, bus: str, prefix: str) -> None:
    for url in sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        try:
            alive = int(sqs.list_queue_tags(QueueUrl=url).get("Tags", {}).get(ALIVE, 0))
        except sqs.exceptions.QueueDoesNotExist:
            continue
        if time.time() - alive > _DEAD_AFTER_SECONDS:
            remove_queue(events, sqs, bus, url.rpartition("/")[2])


def _alive() -> dict[str, str]:
    return {ALIVE: str(int(time.time()))}
