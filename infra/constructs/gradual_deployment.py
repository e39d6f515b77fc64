"""Gradual deployment: a new version takes 10 % of the calls for five minutes, then all, or none if its alarms ring."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from constructs import Construct

from infra.constructs.lambda_function import PipelineFunction

FAILING_PERCENT = 25
"""Refusals are errors to Lambda, too: a declined payment fails no deployment, and a bug fails every call."""

ENOUGH_CALLS = 5
"""In a minute. Of fewer, a percentage says nothing."""

SLOW_PART = 0.8
"""Of the function's timeout."""


class GradualDeployments(Construct):
    """Deploys the versions of functions gradually, by CodeDeploy."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._application = codedeploy.LambdaApplication(self, "Application")

    def deploy(self, function: PipelineFunction) -> None:
        """Let the alias of a function move gradually."""
        scope = Construct(self, function.spec.name)
        codedeploy.LambdaDeploymentGroup(
            scope,
            "Group",
            application=self._application,
            alias=function.live,
            deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
            alarms=list(_alarms(scope, function)),
        )


def _alarms(scope: Construct, function: PipelineFunction) -> list[cloudwatch.Alarm]:
    """Of the new version alone: errors, throttles, duration."""
    dimensions = {"ExecutedVersion": function.live.version.version}

    def metric(name: str, statistic: str) -> cloudwatch.Metric:
        return function.live.metric(
            name,
            statistic=statistic,
            period=Duration.minutes(1),
            dimensions_map={
                "FunctionName": function.function_name,
                "Resource": f"{function.function_name}:{function.live.alias_name}",
                **dimensions,
            },
        )

    failing = cloudwatch.MathExpression(
        expression=f"IF(calls >= {ENOUGH_CALLS}, 100 * errors / calls, 0)",
        using_metrics={"calls": metric("Invocations", "sum"), "errors": metric("Errors", "sum")},
        period=Duration.minutes(1),
    )
    seconds = function.spec.timeout
    return [
        _alarm(scope, "Failing", failing, FAILING_PERCENT, f"more than {FAILING_PERCENT} % of the calls fail"),
        _alarm(scope, "Throttled", metric("Throttles", "sum"), 0, "calls are throttled"),
        _alarm(
            scope,
            "Slow",
            metric("Duration", "p99"),
            SLOW_PART * seconds * 1000,
            f"one call in a hundred takes longer than {SLOW_PART:.0%} of {seconds} s",
        ),
    ]


def _alarm(scope: Construct, name: str, metric: cloudwatch.IMetric, threshold: float, what: str) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        scope,
        name,
        alarm_description=f"Of the new version of {scope.node.id}, {what}: the deployment is undone.",
        metric=metric,
        threshold=threshold,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
