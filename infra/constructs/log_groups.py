"""How long logs are kept."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.template import resource_of


def keep_logs(scope: Construct, days: int) -> None:
    """Let every log group there is below `scope` keep its logs for that long, or until it is deleted with its stack."""
    for each in scope.node.find_all():
        if isinstance(each, logs.LogGroup):
            each.apply_removal_policy(RemovalPolicy.DESTROY)
            group = resource_of(each)
            assert isinstance(group, logs.CfnLogGroup)
            group.retention_in_days = days
