"""What tells people, and what is kept for them: alarms, the topic behind them, and the audit copy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from events import streams
from handlers.dead_letters.storing import OURS
from handlers.operations.audit.copy import AUDIT_PREFIX, documents
from handlers.operations.redrive import mark_resolved
from tests.acceptance import orders
from tests.acceptance.check import Evidence, Wrong
from tests.acceptance.environment import Environment
from tests.acceptance.watch import Watch

_FUNCTION = "replenishment"
"""It gets the message that it cannot read. No other check looks at it."""


def audit_copy(environment: Environment, watch: Watch) -> Evidence:
    """Place an order: what it is in the log, the bucket of the audit copy gets from Firehose."""
    began = datetime.now(UTC).replace(microsecond=0)
    stream = streams.order(orders.by_bus(environment))
    s3, bucket = environment.client("s3"), environment.outputs["AuditBucketName"]
    today = f"{AUDIT_PREFIX}{began:%Y/%m/%d}"

    def copied() -> tuple[str, datetime, Any] | None:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=AUDIT_PREFIX, StartAfter=today)
        for each in (found for page in pages for found in page.get("Contents", [])):
            if each["LastModified"] >= began:
                text = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode()
                for event in documents(text):
                    if event["detail"]["metadata"]["stream"] == stream:
                        return each["Key"], each["LastModified"], event
        return None

    key, written, event = watch.until(copied, f"{stream} in the audit copy")
    occurred = datetime.fromisoformat(event["detail"]["metadata"]["occurred_at"])
    return {"event": event["detail-type"], "copied to": key, "seconds": round((written - occurred).total_seconds())}


def notification(environment: Environment, watch: Watch) -> Evidence:
    """Set an alarm off by hand: who subscribes to the topic, whose key is its own, is told."""
    cloudwatch = environment.client("cloudwatch")
    alarm = _alarm(environment, "DeliveryToS3.DataFreshness")
    name, told = alarm["AlarmName"], f"acceptance {orders.new_id()}"
    with _subscribed(environment, environment.outputs["AlarmsTopicArn"]) as queue:

        def ring() -> None:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=told)
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=told)

        def heard() -> str | None:
            answer = environment.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)
            bodies = (each["Body"] for each in answer.get("Messages", []))
            return next((body for body in bodies if told in body), None)

        try:
            body = watch.trying(ring, heard, "the notification of an alarm")
        finally:
            cloudwatch.set_alarm_state(
                AlarmName=name, StateValue=alarm["StateValue"], StateReason=alarm["StateReason"] or "as before"
            )
    topic = environment.client("sns").get_topic_attributes(TopicArn=environment.outputs["AlarmsTopicArn"])
    key = topic["Attributes"].get("KmsMasterKeyId")
    if key is None:
        raise Wrong(f"{name} was told of, by a topic without a key")
    return {"alarm": name, "subject": json.loads(body)["Subject"], "key": key}


@contextmanager
def _subscribed(environment: Environment, topic: str) -> Iterator[str]:
    """A queue that is told what the topic tells; its URL."""
    sqs, sns = environment.client("sqs"), environment.client("sns")
    url = sqs.create_queue(QueueName=orders.new_id())["QueueUrl"]
    subscription = None
    try:
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        yield url
    finally:
        if subscription is not None:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        sqs.delete_queue(QueueUrl=url)


def alarm_rings(environment: Environment, watch: Watch) -> Evidence:
    """Put a message that no subscriber can read on one's queue: it is stored, and its alarm rings."""
    cloudwatch, bucket = environment.client("cloudwatch"), environment.dead_letters
    alarm = _alarm(environment, "DeadLetterStored", source=_FUNCTION, cause=OURS)["AlarmName"]
    body = f"no event: {orders.new_id()}"

    def stored() -> list[str]:
        found = bucket.open_keys(source=_FUNCTION, since=datetime.now(UTC).date())
        return [key for key, message in bucket.read_all(found) if message.body == body]

    def rings() -> Any:
        [now] = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        return now if now["StateValue"] == "ALARM" else None

    try:
        began = datetime.now(UTC)
        environment.client("sqs").send_message(QueueUrl=environment.queue_url(_FUNCTION), MessageBody=body)
        [key] = watch.until(stored, "the message stored as a dead letter")
        ringing = watch.until(rings, f"{alarm} in ALARM")
    finally:
        list(mark_resolved(bucket, stored()))
    after = (ringing["StateUpdatedTimestamp"] - began).total_seconds()
    return {"alarm": alarm, "because": ringing["StateReason"], "seconds": round(after), "message": key}


def _alarm(environment: Environment, metric: str, **dimensions: str) -> Any:
    """The alarm of the environment on a metric, with these among its dimensions."""
    pages = (
        environment.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{environment.stack}-", AlarmTypes=["MetricAlarm"])
    )
    for alarm in (each for page in pages for each in page["MetricAlarms"]):
        its = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
        if alarm.get("MetricName") == metric and dimensions.items() <= its.items():
            return alarm
    raise Wrong(f"there is no alarm on {metric} {dimensions or ''}".rstrip())
