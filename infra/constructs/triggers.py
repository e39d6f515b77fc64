"""What starts a function: a rule on a bus or a dropped file, by a queue; dead-letter queues; or the table's stream."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handlers.dead_letters.message import OPEN, REDRIVEN
from infra.constructs.buses import NO_REPLAY
from infra.constructs.dead_letter_bucket import DeadLetterBucket
from infra.constructs.files_bucket import INCOMING, FilesBucket
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.orders_table import OrdersTable
from infra.constructs.queues import DeadLetterQueue, WorkQueue
from infra.functions import DeadLetterQueues, FileDrop, Subscription, TableFeed

# A stream keeps its records for 24 hours. A batch that fails is tried again until one of these ends it, and then kept
# whole in the bucket; half a day is long enough for people to come, and leaves as much again to read the rest.
STREAM_TRIES = 1000
STREAM_MAX_AGE = Duration.hours(12)
STREAM_LAG_ALARM = Duration.minutes(15)


def rule(
    scope: Construct,
    bus: events.IEventBus,
    pattern: Mapping[str, Any],
    *,
    replays: bool = False,
    name: str | None = None,
) -> events.Rule:
    """A rule on `bus` for `pattern`. Unless `replays`, replayed events are excluded."""
    # The construct's own pattern knows no replay-name and must not be empty, so it is replaced as a whole.
    made = events.Rule(scope, "Rule", event_bus=bus, event_pattern=events.EventPattern(version=["0"]), rule_name=name)
    resource = made.node.default_child
    assert isinstance(resource, events.CfnRule)
    resource.event_pattern = dict(pattern) if replays else {**pattern, "replay-name": NO_REPLAY}
    return made


def subscribe(function: PipelineFunction, subscription: Subscription, bus: events.IEventBus) -> WorkQueue:
    """Feed `function` what `subscription` wants from `bus`: rule, queue, function; and a dead-letter queue behind."""
    scope = Construct(function, "Subscription")
    wanted: list[Any] = subscription.detail_types
    pattern: dict[str, Any] = {"detail-type": [{"anything-but": wanted}] if subscription.all_but else wanted}
    if subscription.bus == "orders":
        pattern["source"] = [{"prefix": "orders."}]
    # A replay names the rules it is for, so those that replays reach have names of their own.
    name = function.spec.key if subscription.replays else None
    made = rule(scope, bus, pattern, replays=subscription.replays, name=name)
    return _through_queue(
        scope,
        function,
        made,
        batch_size=subscription.batch_size,
        batching_window=subscription.batching_window,
        max_concurrency=subscription.max_concurrency,
    )


def import_files(function: PipelineFunction, drop: FileDrop, bucket: FilesBucket, orders: WorkQueue) -> WorkQueue:
    """Feed `function` the files dropped into `bucket`: rule, queue, function; it may put their orders on `orders`."""
    scope = Construct(function, "FileDrop")
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": INCOMING}]}},
    }
    made = rule(scope, events.EventBus.from_event_bus_name(scope, "DefaultBus", "default"), pattern)
    queue = _through_queue(scope, function, made, batch_size=1, batching_window=0, max_concurrency=drop.max_concurrency)
    function.add_environment("OWN_QUEUE_URL", queue.queue_url)
    function.add_environment("ORDER_QUEUE_URL", orders.queue_url)
    function.allow(["sqs:SendMessage"], [queue.queue_arn, orders.queue_arn])
    function.allow(["s3:GetObjectVersion", "s3:DeleteObjectVersion"], [bucket.arn_for_objects(f"{INCOMING}*")])
    function.allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [bucket.arn_for_objects("checkpoints/*")])
    function.allow(["s3:PutObject"], [bucket.arn_for_objects("done/*"), bucket.arn_for_objects("reports/*")])
    # Without these, S3 calls an object that is not there forbidden.
    function.allow(["s3:ListBucket", "s3:ListBucketVersions"], [bucket.bucket_arn])
    return queue


def _through_queue(
    scope: Construct,
    function: PipelineFunction,
    made: events.Rule,
    *,
    batch_size: int,
    batching_window: int,
    max_concurrency: int,
) -> WorkQueue:
    """Let the rule feed the function through a queue of its own, with a dead-letter queue behind."""
    if function.dead_letters is None:
        raise ValueError(f"{function.spec.key} has no dead-letter queue")
    queue = WorkQueue(scope, "Queue", function.spec.name, function.spec.timeout, function.dead_letters)
    made.add_target(targets.SqsQueue(queue, dead_letter_queue=function.dead_letters))
    _work_off(
        scope,
        function,
        queue,
        batch_size=batch_size,
        batching_window=batching_window,
        max_concurrency=max_concurrency,
    )
    return queue


def store_dead_letters(
    function: PipelineFunction, wanted: DeadLetterQueues, queues: Sequence[DeadLetterQueue], bucket: DeadLetterBucket
) -> None:
    """Feed `function` what is in the dead-letter queues; it stores it in `bucket`."""
    for queue in queues:
        _work_off(
            Construct(function, queue.source),
            function,
            queue,
            batch_size=wanted.batch_size,
            batching_window=0,
            max_concurrency=wanted.max_concurrency,
        )
    sources = {queue.source: queue.queue_name for queue in queues}
    function.add_environment("DEAD_LETTER_QUEUES", Stack.of(function).to_json_string(sources))
    function.add_environment("DEAD_LETTER_BUCKET_NAME", bucket.bucket_name)
    function.allow(["s3:PutObject"], [bucket.arn_for_objects(f"{OPEN}*")])
    function.allow(["s3:GetObject"], [bucket.arn_for_objects(f"{OPEN}*"), bucket.arn_for_objects(f"{REDRIVEN}*")])
    # Without this, S3 calls an object that is not there forbidden.
    function.allow(["s3:ListBucket"], [bucket.bucket_arn])


def _work_off(
    scope: Construct,
    function: PipelineFunction,
    queue: sqs.IQueue,
    *,
    batch_size: int,
    batching_window: int,
    max_concurrency: int,
) -> None:
    """Let the function take what is in the queue, each message by itself."""
    function.allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], [queue.queue_arn])
    lambda_.CfnEventSourceMapping(
        scope,
        "Mapping",
        function_name=function.function_name,
        event_source_arn=queue.queue_arn,
        batch_size=batch_size,
        maximum_batching_window_in_seconds=batching_window,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=max_concurrency),
    )


def feed(function: PipelineFunction, wanted: TableFeed, table: OrdersTable, failures: s3.IBucket) -> None:
    """Feed `function` the changes of the table that `wanted` names; batches that never succeed end in `failures`."""
    scope = Construct(function, "Feed")
    table.feed_to(function.own_role)
    function.allow(["s3:PutObject"], [failures.arn_for_objects("*")])
    function.allow(["s3:ListBucket"], [failures.bucket_arn])
    keys: dict[str, Any] = {"PK": {"S": [{"prefix": prefix} for prefix in wanted.pk_prefixes]}}
    if wanted.sk_prefix is not None:
        keys["SK"] = {"S": [{"prefix": wanted.sk_prefix}]}
    pattern = {"eventName": list(wanted.event_names), "dynamodb": {"Keys": keys}}
    lambda_.CfnEventSourceMapping(
        scope,
        "Mapping",
        function_name=function.function_name,
        event_source_arn=table.stream_arn,
        starting_position="TRIM_HORIZON",
        batch_size=wanted.batch_size,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=STREAM_TRIES,
        maximum_record_age_in_seconds=int(STREAM_MAX_AGE.to_seconds()),
        filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
            filters=[lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(pattern))]
        ),
        destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failures.bucket_arn)
        ),
    )
    cloudwatch.Alarm(
        scope,
        "Lagging",
        alarm_description=f"{function.spec.name} is behind the table's stream, which forgets after 24 hours.",
        metric=function.metric("IteratorAge", statistic="max", period=Duration.minutes(1)),
        threshold=STREAM_LAG_ALARM.to_milliseconds(),
        evaluation_periods=5,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
