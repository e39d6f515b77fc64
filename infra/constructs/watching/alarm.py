"""The two kinds of alarms: those on metrics inform, and those on other alarms page.

Both have the name `<stack>-<runbook>`, and the page `docs/runbooks/<runbook>.md` says what to do. Alarms of one kind
are told apart by what they are of.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

RUNBOOKS = "docs/runbooks"
MOST_METRICS = 10
"""Of one alarm. Source: Amazon CloudWatch User Guide, CloudWatch service quotas."""

MINUTE, FIVE_MINUTES = Duration.minutes(1), Duration.minutes(5)

BURST = Duration.minutes(30)
"""What happens within that time after the first is one burst: the alarm on it lasts, and people are told once."""


def inform(
    scope: Construct,
    runbook: str,
    says: str,
    metric: cloudwatch.IMetric,
    at_least: float,
    *,
    of: str | None = None,
    periods: int = 1,
    bad_periods: int | None = None,
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
) -> cloudwatch.Alarm:
    """An alarm on a metric, which rings where the metric is `at_least` that in so many `periods` on end.

    With `bad_periods`, it is enough that it is so in as many of them, wherever. `says` is what that means, in one
    sentence.
    """
    construct_id = _id(runbook, of)
    return cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=f"{Stack.of(scope).stack_name}-{construct_id}",
        alarm_description=_description(says, "inform", runbook),
        metric=metric,
        threshold=at_least,
        evaluation_periods=periods,
        datapoints_to_alarm=bad_periods,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=missing,
    )


def page(scope: Construct, runbook: str, says: str, alarms: Collection[cloudwatch.Alarm]) -> cloudwatch.CompositeAlarm:
    """An alarm that rings from the first of `alarms` that does to the last, so that a burst is one page."""
    return cloudwatch.CompositeAlarm(
        scope,
        runbook,
        composite_alarm_name=f"{Stack.of(scope).stack_name}-{runbook}",
        alarm_description=_description(says, "page", runbook),
        alarm_rule=cloudwatch.AlarmRule.any_of(*alarms),
    )


def total(metrics: Sequence[cloudwatch.IMetric], period: Duration) -> cloudwatch.MathExpression:
    """The sum of metrics, ten at most."""
    return _of_all("SUM", metrics, period)


def highest(metrics: Sequence[cloudwatch.IMetric], period: Duration) -> cloudwatch.MathExpression:
    """The highest of metrics, ten at most."""
    return _of_all("MAX", metrics, period)


def tens(metrics: Sequence[cloudwatch.IMetric]) -> Iterator[tuple[str, list[cloudwatch.IMetric]]]:
    """Metrics in as many as an alarm may have, each with its number."""
    rest = iter(metrics)
    number = 1
    while part := list(islice(rest, MOST_METRICS)):
        yield str(number), part
        number += 1


def own_metric(
    scope: Construct, name: str, statistic: str, period: Duration, *, service: str, **dimensions: str
) -> cloudwatch.Metric:
    """A metric that the function with the key `service` prints (`handlers.runtime.observability`)."""
    return cloudwatch.Metric(
        namespace=Stack.of(scope).stack_name,
        metric_name=name,
        dimensions_map={"service": service, **dimensions},
        statistic=statistic,
        period=period,
    )


def _of_all(function: str, metrics: Sequence[cloudwatch.IMetric], period: Duration) -> cloudwatch.MathExpression:
    named = {f"m{number}": metric for number, metric in enumerate(metrics)}
    return cloudwatch.MathExpression(
        expression=f"{function}([{', '.join(named)}])", using_metrics=named, period=period, label=function.lower()
    )


def _id(runbook: str, of: str | None) -> str:
    return f"{runbook}-{of}" if of else runbook


def _description(says: str, severity: str, runbook: str) -> str:
    return f"{says} Severity: {severity}. Runbook: {RUNBOOKS}/{runbook}.md"
