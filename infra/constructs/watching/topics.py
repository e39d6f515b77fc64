"""Where alarms go: two encrypted topics, to which people subscribe, so that pages can go elsewhere than the rest."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.constructs.suppressing import suppress

_ALARMS = "cloudwatch.amazonaws.com"


class AlarmTopics(Construct):
    """`informed` notifies its subscribers of alarms on metrics; `paged` of those that page, and when they are over.

    The addresses are among the subscribers, once they have confirmed that.
    """

    def __init__(self, scope: Construct, construct_id: str, *, email: str | None, page_email: str | None) -> None:
        super().__init__(scope, construct_id)
        key = kms.Key(
            self,
            "Key",  # its own: alarms may not use the one of AWS
            description="Alarms of the order pipeline",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(
            # Without a condition: a service that names no account to the key would fail to notify, unnoticed.
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(_ALARMS)],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
            )
        )
        self.informed = self._topic("Alarms", key, email)
        self.paged = self._topic("Pages", key, page_email)

    def _topic(self, construct_id: str, key: kms.IKey, email: str | None) -> sns.Topic:
        topic = sns.Topic(self, construct_id, master_key=key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(_ALARMS)],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
            suppress(
                topic,
                "Serverless-SNSRedrivePolicy",
                "An alarm whose e-mail is lost still rings in CloudWatch; a queue that nobody reads would tell nobody.",
            )
        return topic

    def notify_of_all(self, scope: Construct) -> None:
        """Make the topics the actions of every alarm there is below `scope`."""
        inform, page = actions.SnsAction(self.informed), actions.SnsAction(self.paged)
        for each in scope.node.find_all():
            if isinstance(each, cloudwatch.CompositeAlarm):
                each.add_alarm_action(page)
                each.add_ok_action(page)
            elif isinstance(each, cloudwatch.Alarm):
                each.add_alarm_action(inform)
