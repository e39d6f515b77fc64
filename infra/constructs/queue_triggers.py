"""Queues as triggers of functions: of events from a bus, of dropped files, and of dead-letter messages."""

from collections.abc import Iterable
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from handlers.dead_letters.message import OPEN, REDRIVEN
from handlers.files.dropped_file import CHECKPOINTS, DONE, INCOMING, REPORTS
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.queues import DeadLetterQueue, WorkQueue
from infra.constructs.rules import rule
from infra.constructs.shared_resources import SharedResources
from infra.constructs.suppressing import suppress
from infra.constructs.template import resource_of
from infra.function_spec import DeadLetterQueues, DroppedFiles, Subscription


def subscribe(function: PipelineFunction, subscription: Subscription, shared: SharedResources) -> None:
    """Trigger `function` by the events that it subscribes to: rule, queue, function."""
    scope = Construct(function, "Subscription")
    wanted: list[Any] = subscription.detail_types
    pattern: dict[str, Any] = {"detail-type": [{"anything-but": wanted}] if subscription.all_but else wanted}
    bus: events.IEventBus = shared.intake
    if subscription.bus == "orders":
        bus, pattern["source"] = shared.orders, [{"prefix": "orders."}]
    # A replay names the rules it is for, so those that replays reach have names of their own.
    name = function.spec.key if subscription.replays else None
    made = rule(scope, bus, pattern, replays=subscription.replays, name=name)
    _send(made, function)
    _receive(
        scope,
        function,
        function.queue,
        batch_size=subscription.batch_size,
        batching_window=subscription.batching_window,
        max_concurrency=subscription.max_concurrency,
    )
    if subscription.postpones:
        _let_send_to_itself(function)


def import_files(function: PipelineFunction, files: DroppedFiles, orders: WorkQueue, shared: SharedResources) -> None:
    """Trigger `function` by dropped files: rule, queue, function; it may put their orders on the queue `orders`."""
    scope, bucket = Construct(function, "DroppedFiles"), shared.files
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": INCOMING}]}},
    }
    _send(rule(scope, events.EventBus.from_event_bus_name(scope, "DefaultBus", "default"), pattern), function)
    _receive(scope, function, function.queue, batch_size=1, max_concurrency=files.max_concurrency)
    _let_send_to_itself(function)
    function.add_environment("ORDER_QUEUE_URL", orders.queue_url)
    function.allow(["sqs:SendMessage"], [orders.queue_arn])
    function.allow(["s3:GetObjectVersion", "s3:DeleteObjectVersion"], [bucket.arn_for_objects(f"{INCOMING}*")])
    function.allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [bucket.arn_for_objects(f"{CHECKPOINTS}*")])
    function.allow(["s3:PutObject"], [bucket.arn_for_objects(f"{DONE}*"), bucket.arn_for_objects(f"{REPORTS}*")])
    suppress(function.own_role, "AwsSolutions-IAM5", "Files are called what shops call them.", ending="/*")
    # Without these, S3 answers "forbidden" for an object that does not exist.
    function.allow(["s3:ListBucket", "s3:ListBucketVersions"], [bucket.bucket_arn])


def store_dead_letters(
    function: PipelineFunction, wanted: DeadLetterQueues, queues: Iterable[DeadLetterQueue], shared: SharedResources
) -> None:
    """Trigger `function` by the messages in the dead-letter queues; it stores them in their bucket."""
    by_source = {queue.source: queue for queue in sorted(queues, key=lambda queue: queue.source)}
    for source, queue in by_source.items():
        _receive(
            Construct(function, source),
            function,
            queue,
            batch_size=wanted.batch_size,
            max_concurrency=wanted.max_concurrency,
        )
    names = {source: queue.queue_name for source, queue in by_source.items()}
    bucket = shared.dead_letters
    function.add_environment("DEAD_LETTER_QUEUES", Stack.of(function).to_json_string(names))
    function.add_environment("DEAD_LETTER_BUCKET_NAME", bucket.bucket_name)
    function.allow(["s3:PutObject"], [bucket.arn_for_objects(f"{OPEN}*")])
    function.allow(["s3:GetObject"], [bucket.arn_for_objects(f"{OPEN}*"), bucket.arn_for_objects(f"{REDRIVEN}*")])
    suppress(function.own_role, "AwsSolutions-IAM5", "Each message has an object of its own.", ending="/*")
    # Without this, S3 answers "forbidden" for an object that does not exist.
    function.allow(["s3:ListBucket"], [bucket.bucket_arn])


def _send(made: events.Rule, function: PipelineFunction) -> None:
    """Let the rule send what it matches to the function's queue."""
    made.add_target(targets.SqsQueue(function.queue, dead_letter_queue=function.dead_letters))


def _let_send_to_itself(function: PipelineFunction) -> None:
    """Let the function send messages to its own queue, as often as it has to.

    Lambda stops what looks like a loop after 16 rounds. But a large file takes more stretches than that, each of which
    gets further in it; and what is postponed waits for what is not in the function's hands.
    """
    resource_of(function).add_property_override("RecursiveLoop", "Allow")
    function.add_environment("OWN_QUEUE_URL", function.queue.queue_url)
    function.allow(["sqs:SendMessage"], [function.queue.queue_arn])


def _receive(
    scope: Construct,
    function: PipelineFunction,
    queue: sqs.IQueue,
    *,
    batch_size: int,
    batching_window: int = 0,
    max_concurrency: int,
) -> None:
    """Let the function receive what is in the queue; of a batch, each message succeeds or fails by itself."""
    function.allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], [queue.queue_arn])
    mapping = lambda_.CfnEventSourceMapping(
        scope,
        "Mapping",
        function_name=function.live.function_arn,
        event_source_arn=queue.queue_arn,
        batch_size=batch_size,
        maximum_batching_window_in_seconds=batching_window,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=max_concurrency),
    )
    suppress(
        mapping,
        "Serverless-LambdaEventSourceMappingDestination",
        "Lambda has none for a queue: what fails too often goes to the queue's dead-letter queue, or stays in it.",
    )
