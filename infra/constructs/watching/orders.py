"""The layer of orders, as the sweep finds them: those that wait for long, and whether anybody looks for them."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from handlers.operations.sagas import Saga
from handlers.operations.sweep.sweep import PAUSED, STARTED, WAITING
from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.watching.alarm import FIVE_MINUTES, MINUTE, inform, own_metric
from infra.settings.alarms import AlarmSettings

MISSED_RUNS = 5
"""One after the other, until people are told."""


def watch_outcomes(scope: Construct, sweep: PipelineFunction, settings: AlarmSettings) -> cloudwatch.Alarm:
    """An order has no outcome, for longer than the sweep leaves it to heal."""
    return inform(
        scope,
        "orders-without-outcome",
        f"An order has had no outcome for {settings.outcome_minutes} minutes.",
        _waiting(scope, Saga.ORDER, sweep),
        _in_ms(settings.outcome_minutes),
    )


def watch_cancellations(scope: Construct, sweep: PipelineFunction, settings: AlarmSettings) -> cloudwatch.Alarm:
    """A request to cancel a confirmed order has no answer, so the money may not be paid back."""
    return inform(
        scope,
        "cancellations-without-answer",
        f"A request to cancel a confirmed order has had no answer for {settings.outcome_minutes} minutes.",
        _waiting(scope, Saga.CANCELLATION, sweep),
        _in_ms(settings.outcome_minutes),
    )


def watch_started(scope: Construct, sweep: PipelineFunction, settings: AlarmSettings) -> None:
    """What the sweep starts, orders should have had without it."""
    inform(
        scope,
        "sagas-started-by-sweep",
        f"The sweep started {settings.sagas_started} sagas within five minutes: their starts were lost.",
        own_metric(scope, STARTED, "sum", FIVE_MINUTES, service=sweep.spec.key),
        settings.sagas_started,
    )


def watch_runs(scope: Construct, sweep: PipelineFunction) -> cloudwatch.Alarm:
    """No run of the sweep succeeds. Nobody calls it then, or it fails: silence is bad."""
    calls = sweep.metric_invocations(statistic="sum", period=MINUTE)
    errors = sweep.metric_errors(statistic="sum", period=MINUTE)
    failing = cloudwatch.MathExpression(
        expression="IF(calls - errors > 0, 0, 1)",
        using_metrics={"calls": calls, "errors": errors},
        period=MINUTE,
        label="no run",
    )
    return inform(
        scope,
        "sweep-not-running",
        f"No run of the sweep has succeeded for {MISSED_RUNS} minutes, so nobody looks for orders that stand still.",
        failing,
        1,
        periods=MISSED_RUNS,
        missing=cloudwatch.TreatMissingData.BREACHING,
    )


def watch_pauses(scope: Construct, sweep: PipelineFunction, settings: AlarmSettings) -> None:
    """Something is paused, hour after hour."""
    inform(
        scope,
        "paused-for-long",
        f"Something was paused in each of the last {settings.paused_hours} hours.",
        own_metric(scope, PAUSED, "sum", Duration.hours(1), service=sweep.spec.key),
        1,
        periods=settings.paused_hours,
    )


def _waiting(scope: Construct, saga: Saga, sweep: PipelineFunction) -> cloudwatch.Metric:
    """A run looks at so many orders at most, so where there are very many, one that waits is seen now and then."""
    return own_metric(scope, WAITING[saga], "max", FIVE_MINUTES, service=sweep.spec.key)


def _in_ms(minutes: int) -> int:
    return minutes * 60 * 1000
