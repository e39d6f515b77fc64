"""Gradual deployment: a new version takes 10 % of the calls for five minutes, then all, or none if its alarms ring."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from constructs import Construct

from infra.constructs.lambda_function import PipelineFunction
from infra.constructs.suppressing import suppress
from infra.constructs.watching.alarm import MINUTE, inform

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
        group = codedeploy.LambdaDeploymentGroup(
            scope,
            "Group",
            application=self._application,
            alias=function.live,
            deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
            alarms=[_alarm(scope, function)],
        )
        suppress(
            group,
            "AwsSolutions-IAM4",
            "AWS keeps what CodeDeploy may do for functions, and may do no more than that.",
            ending="AWSCodeDeployRoleForLambdaLimited",
        )


def _alarm(scope: Construct, function: PipelineFunction) -> cloudwatch.Alarm:
    """Of the new version alone: it fails, is throttled, or is slow. One alarm for the three, since it undoes once."""
    version = function.live.version.version

    def metric(name: str, statistic: str) -> cloudwatch.Metric:
        return function.live.metric(
            name,
            statistic=statistic,
            dimensions_map={
                "FunctionName": function.function_name,
                "Resource": f"{function.function_name}:{function.live.alias_name}",
                "ExecutedVersion": version,
            },
        )

    slow_ms = SLOW_PART * function.spec.timeout * 1000
    bad = cloudwatch.MathExpression(
        expression=f"IF(calls >= {ENOUGH_CALLS} AND 100 * errors / calls > {FAILING_PERCENT}, 1, 0)"
        f" + IF(throttles > 0, 1, 0) + IF(slowest > {slow_ms:.0f}, 1, 0)",
        using_metrics={
            "calls": metric("Invocations", "sum"),
            "errors": metric("Errors", "sum"),
            "throttles": metric("Throttles", "sum"),
            "slowest": metric("Duration", "p99"),
        },
        period=MINUTE,
    )
    return inform(
        scope,
        "deployment-turned-back",
        f"Of the new version of {function.spec.key}, more than {FAILING_PERCENT} % of calls fail, or some are "
        f"throttled, or 1 % takes longer than {slow_ms:.0f} ms: its deployment is undone.",
        bad,
        1,
        of=function.spec.key,
    )
