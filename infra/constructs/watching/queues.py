"""The layer of queues: what waits in them, what was given up, and what is postponed."""

from collections.abc import Container, Iterable

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from handlers.dead_letters.storing import OURS
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.watching.alarm import BURST, FIVE_MINUTES, MINUTE, highest, inform, own_metric, tens
from infra.function_spec import Subscription
from infra.settings.alarms import AlarmSettings

STORED_WITHIN = Duration.minutes(5)
"""Messages leave a dead-letter queue within seconds. SQS does not count the age of a message that was received more
than three times, so an alarm must come before that: three times the queue's visibility timeout is nine minutes."""

POSTPONED_FOR = Duration.minutes(30)
"""Twice on end. A message is postponed for a quarter of an hour at most, so one that waits is counted in each."""

BUSY = ("counting_projections", "order_emails", "order_intake", "order_view")
"""The functions whose queue each order passes: their depth says how many orders wait."""


def watch_ages(scope: Construct, functions: Iterable[PipelineFunction], settings: AlarmSettings) -> None:
    """Of each function with a queue: its oldest message has waited for long."""
    for function in functions:
        inform(
            scope,
            "queue-age",
            f"The oldest message for {function.spec.key} has waited for {settings.queue_minutes} minutes.",
            _age(function),
            settings.queue_minutes * 60,
            of=function.spec.key,
        )


def watch_depth(scope: Construct, functions: Iterable[PipelineFunction], settings: AlarmSettings) -> None:
    """Many messages wait in one of the queues that every order passes."""
    waiting = [
        function.queue.metric_approximate_number_of_messages_visible(statistic="max", period=FIVE_MINUTES)
        for function in functions
        if function.spec.key in BUSY
    ]
    inform(
        scope,
        "queue-depth",
        f"{settings.queue_depth} messages wait for one of {', '.join(BUSY)}.",
        highest(waiting, FIVE_MINUTES),
        settings.queue_depth,
    )


def watch_intake(scope: Construct, intake: PipelineFunction, settings: AlarmSettings) -> cloudwatch.Alarm:
    """Orders wait for long, and none is taken. Many orders at once make the queue old, but not that."""
    seconds = settings.queue_minutes * 60
    stopped = cloudwatch.MathExpression(
        expression=f"IF(age >= {seconds} AND FILL(taken, 0) < 1, 1, 0)",
        using_metrics={
            "age": _age(intake),
            "taken": intake.queue.metric_number_of_messages_deleted(statistic="sum", period=FIVE_MINUTES),
        },
        period=FIVE_MINUTES,
        label="stopped",
    )
    says = f"Orders have waited for {settings.queue_minutes} minutes, and {intake.spec.key} takes none."
    return inform(scope, "intake-stopped", says, stopped, 1)


def watch_dead_letters(
    scope: Construct, queues: Iterable[DeadLetterQueue], *, storing: str, lasting: Container[str]
) -> dict[str, cloudwatch.Alarm]:
    """A message was given up that its sender did not cause, by its source; and messages that are not stored.

    `storing` is the key of the function that stores them. Of the sources in `lasting`, a burst rings once.
    """
    by_source = sorted(queues, key=lambda queue: queue.source)
    ages = [queue.metric_approximate_age_of_oldest_message(statistic="max", period=MINUTE) for queue in by_source]
    for number, part in tens(ages):
        inform(
            scope,
            "dead-letters-not-stored",
            f"Dead-letter messages have not been stored for {STORED_WITHIN.to_minutes()} minutes.",
            highest(part, MINUTE),
            STORED_WITHIN.to_seconds(),
            of=number,
        )
    return {
        queue.source: inform(
            scope,
            "dead-letters",
            f"{queue.source} has dead-letter messages that are our own fault.",
            own_metric(scope, "DeadLetterStored", "sum", MINUTE, service=storing, source=queue.source, cause=OURS),
            1,
            of=queue.source,
            periods=int(BURST.to_minutes()) if queue.source in lasting else 1,
            bad_periods=1,
        )
        for queue in by_source
    }


def watch_postponed(scope: Construct, functions: Iterable[PipelineFunction]) -> None:
    """Of each function that postpones messages: it has done so for an hour."""
    for function in functions:
        if isinstance(function.spec.trigger, Subscription) and function.spec.trigger.postpones:
            inform(
                scope,
                "messages-postponed",
                f"{function.spec.key} has postponed messages, or put parts of them back, for an hour.",
                own_metric(scope, "MessagesPostponed", "sum", POSTPONED_FOR, service=function.spec.key),
                1,
                of=function.spec.key,
                periods=2,
            )


def _age(function: PipelineFunction) -> cloudwatch.Metric:
    return function.queue.metric_approximate_age_of_oldest_message(statistic="max", period=FIVE_MINUTES)
