"""The layer of state machines: executions that fail, run out of time, or are throttled."""

from collections.abc import Iterable
from math import ceil

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.watching.alarm import FIVE_MINUTES, MINUTE, inform, total
from infra.constructs.workflow import Workflow
from infra.settings.alarms import AlarmSettings


def watch_saga(scope: Construct, saga: Workflow, settings: AlarmSettings) -> cloudwatch.Alarm:
    """An execution of a saga failed, and its order stands still until a person has mended the cause.

    The alarm lasts until the sweep says that the order has no outcome, so that both together are one page.
    """
    return inform(
        scope,
        "executions-failed",
        f"An execution of {saga.short_name} stopped at a task that failed.",
        saga.metric_failed(statistic="sum", period=FIVE_MINUTES),
        1,
        of=saga.short_name,
        periods=ceil(settings.outcome_minutes / FIVE_MINUTES.to_minutes()) + 1,
        bad_periods=1,
    )


def watch_lane(scope: Construct, lane: Workflow) -> None:
    """An execution of the express lane failed, or ran out of time. The sweep starts the saga of its order."""
    ended = [metric(statistic="sum", period=MINUTE) for metric in (lane.metric_failed, lane.metric_timed_out)]
    inform(
        scope,
        "executions-failed",
        f"An execution of {lane.short_name} neither confirmed its order nor handed it over.",
        total(ended, MINUTE),
        1,
        of=lane.short_name,
    )


def watch_started(scope: Construct, machines: Iterable[Workflow]) -> None:
    """Of each state machine that people start: an execution failed."""
    for machine in machines:
        inform(
            scope,
            "executions-failed",
            f"An execution of {machine.short_name} failed. It may be started again.",
            machine.metric_failed(statistic="sum", period=MINUTE),
            1,
            of=machine.short_name,
        )


def watch_throttled(scope: Construct, machines: Iterable[Workflow], settings: AlarmSettings) -> None:
    """Starts and steps of the state machines of orders are throttled."""
    throttled = [machine.metric_throttled(statistic="sum", period=FIVE_MINUTES) for machine in machines]
    inform(
        scope,
        "executions-throttled",
        f"Step Functions throttled {settings.executions_throttled} steps of sagas within five minutes.",
        total(throttled, FIVE_MINUTES),
        settings.executions_throttled,
    )
