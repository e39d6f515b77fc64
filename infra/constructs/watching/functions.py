"""The layer of functions: errors, throttles, the account's concurrency, and how far those behind the stream are."""

from collections.abc import Iterable

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.watching.alarm import FIVE_MINUTES, MINUTE, inform, tens, total
from infra.function_spec import DeadLetterQueues, DroppedFiles, Subscription, TableChanges
from infra.settings.alarms import AlarmSettings


def watch_errors(scope: Construct, functions: Iterable[PipelineFunction], settings: AlarmSettings) -> None:
    """Calls fail of functions behind queues and the stream. A message that fails by itself is no error of the call.

    Those that sagas call are left out: a refusal, such as a declined payment, is an error to Lambda, too. What fails
    them for good fails their executions; what fails those of the API is answered with 5xx.
    """
    fed = (Subscription, DroppedFiles, DeadLetterQueues, TableChanges)
    errors = [
        function.metric_errors(statistic="sum", period=FIVE_MINUTES)
        for function in functions
        if isinstance(function.spec.trigger, fed)
    ]
    for number, part in tens(errors):
        inform(
            scope,
            "function-errors",
            f"{settings.function_errors} calls of functions failed within five minutes.",
            total(part, FIVE_MINUTES),
            settings.function_errors,
            of=number,
        )


def watch_concurrency(scope: Construct, settings: AlarmSettings) -> None:
    """Calls were throttled, or are about to be: of whatever functions the account has in the region."""
    inform(
        scope,
        "function-throttles",
        f"{settings.function_throttles} calls of functions of the account were throttled within five minutes.",
        _of_account("Throttles", "sum"),
        settings.function_throttles,
    )
    inform(
        scope,
        "account-concurrency",
        f"{settings.concurrent_executions} functions of the account run at once.",
        _of_account("ConcurrentExecutions", "max"),
        settings.concurrent_executions,
    )


def watch_stream(
    scope: Construct, functions: Iterable[PipelineFunction], settings: AlarmSettings
) -> dict[str, cloudwatch.Alarm]:
    """Of each function behind the table's stream, by its key: it is behind. The stream keeps changes for 24 hours."""
    return {
        function.spec.key: inform(
            scope,
            "stream-behind",
            f"{function.spec.key} has been {settings.stream_minutes} minutes behind the table's stream for five.",
            function.metric("IteratorAge", statistic="max", period=MINUTE),
            settings.stream_minutes * 60 * 1000,
            of=function.spec.key,
            periods=5,
        )
        for function in functions
        if isinstance(function.spec.trigger, TableChanges)
    }


def _of_account(name: str, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace="AWS/Lambda", metric_name=name, statistic=statistic, period=FIVE_MINUTES)
