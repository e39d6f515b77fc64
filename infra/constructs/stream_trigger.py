"""The table's stream as a function's trigger."""

import json
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.shared_resources import SharedResources
from infra.constructs.suppressing import suppress
from infra.function_spec import TableChanges

# A stream keeps its records for 24 hours. A batch that fails is retried until one of these is reached, and then kept
# whole in the bucket; half a day is long enough for people to react, and leaves as much again to read the rest.
STREAM_ATTEMPTS = 1000
STREAM_MAX_AGE = Duration.hours(12)


def follow(function: PipelineFunction, changes: TableChanges, shared: SharedResources) -> None:
    """Trigger `function` by changes of the table; batches that never succeed end in the bucket of stream failures."""
    scope = Construct(function, "Changes")
    shared.table.grant_stream_reading(function.own_role)
    function.allow(["s3:PutObject"], [shared.stream_failures.arn_for_objects("*")])
    function.allow(["s3:ListBucket"], [shared.stream_failures.bucket_arn])
    suppress(
        function.own_role, "AwsSolutions-IAM5", "Lambda names the objects, in a bucket of failures alone.", ending="/*"
    )
    keys: dict[str, Any] = {"PK": {"S": [{"prefix": prefix} for prefix in changes.pk_prefixes]}}
    if changes.sk_prefix is not None:
        keys["SK"] = {"S": [{"prefix": changes.sk_prefix}]}
    pattern = {"eventName": list(changes.event_names), "dynamodb": {"Keys": keys}}
    lambda_.CfnEventSourceMapping(
        scope,
        "Mapping",
        function_name=function.live.function_arn,
        event_source_arn=shared.table.stream_arn,
        starting_position="TRIM_HORIZON",
        batch_size=changes.batch_size,
        maximum_batching_window_in_seconds=changes.batching_window,
        parallelization_factor=changes.parallelization_factor,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=STREAM_ATTEMPTS,
        maximum_record_age_in_seconds=int(STREAM_MAX_AGE.to_seconds()),
        filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
            filters=[lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(pattern))]
        ),
        destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=shared.stream_failures.bucket_arn)
        ),
    )
