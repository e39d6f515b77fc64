"""What the account may cost a month, and who is told when it costs more, or is going to."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.template import resource_of
from infra.settings.cost import BudgetSettings

NOTIFIED_AT = (("ACTUAL", 80), ("FORECASTED", 100))
"""Of what, and at how many percent of the budget."""


class Budget(Construct):
    """A budget of the whole account, for not everything that costs can be tagged.

    It notifies `topic`, whose key is a customer's, and the address in `settings`.
    """

    def __init__(self, scope: Construct, construct_id: str, settings: BudgetSettings, topic: sns.Topic) -> None:
        super().__init__(scope, construct_id)
        self._let_notify(topic)
        subscribers = [budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)]
        if settings.email:
            subscribers += [budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=settings.email)]
        made = budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=Stack.of(self).stack_name,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=settings.monthly_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=subscribers,
                )
                for kind, percent in NOTIFIED_AT
            ],
        )
        # Budgets refuses a topic that it may not notify.
        made.add_dependency(resource_of(topic.node.find_child("Policy")))

    def _let_notify(self, topic: sns.Topic) -> None:
        """Source: AWS Cost Management User Guide, "Creating an Amazon SNS topic for budget notifications"."""
        stack = Stack.of(self)
        ours = {
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {"aws:SourceArn": stack.format_arn(service="budgets", region="", resource="*")},
        }
        principal = iam.ServicePrincipal("budgets.amazonaws.com")
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal], actions=["sns:Publish"], resources=[topic.topic_arn], conditions=ours
            )
        )
        if topic.master_key is None:
            raise TypeError("the topic has no key of its own")
        topic.master_key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions=ours,
            )
        )
