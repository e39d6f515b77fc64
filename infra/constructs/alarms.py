"""Where alarms go: one encrypted topic, to which people subscribe."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct


class AlarmsTopic(sns.Topic):
    """Notifies its subscribers of every alarm of the stack, `email` among them, once it has confirmed that.

    Its key is its own: alarms may not use the one of AWS.
    """

    def __init__(self, scope: Construct, construct_id: str, email: str | None) -> None:
        alarms = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        ours = {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}
        key = kms.Key(
            scope,
            f"{construct_id}Key",
            description="Alarms of the order pipeline",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(
            # Without a condition: a service that names no account to the key would fail to notify, unnoticed.
            iam.PolicyStatement(principals=[alarms], actions=["kms:Decrypt", "kms:GenerateDataKey*"], resources=["*"])
        )
        super().__init__(scope, construct_id, master_key=key, enforce_ssl=True)
        self.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[alarms], actions=["sns:Publish"], resources=[self.topic_arn], conditions=ours
            )
        )

        if email:
            self.add_subscription(subscriptions.EmailSubscription(email))

    def notify_of_all(self, scope: Construct) -> None:
        """Make the topic the action of every alarm there is below `scope`."""
        for each in scope.node.find_all():
            if isinstance(each, cloudwatch.Alarm):
                each.add_alarm_action(actions.SnsAction(self))
