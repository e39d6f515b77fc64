"""The firewall in front of the API: what AWS knows to be an attack is refused, and an address that asks too often."""

from __future__ import annotations

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

MANAGED = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (),
    # An order of 592 lines has 77 KB, and the gateway checks each body against its schema; shops are programs, which
    # need not name themselves.
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY", "NoUserAgent_HEADER"),
}
"""AWS's groups of rules, in their order, and which rules of each count what they find instead of refusing it."""

WINDOW_SECONDS = 60


class Firewall(Construct):
    """A web ACL on `stage`.

    An address that sends more than `requests_per_minute` is refused until it sends fewer. Samples of requests are not
    kept: tokens would be in them.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: apigateway.Stage, requests_per_minute: int
    ) -> None:
        super().__init__(scope, construct_id)
        rate = wafv2.CfnWebACL.RuleProperty(
            name="Rate",
            priority=0,
            action=wafv2.CfnWebACL.RuleActionProperty(block={}),
            statement=wafv2.CfnWebACL.StatementProperty(
                rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                    aggregate_key_type="IP", limit=requests_per_minute, evaluation_window_sec=WINDOW_SECONDS
                )
            ),
            visibility_config=_counted("Rate"),
        )
        managed = [_managed(name, priority) for priority, name in enumerate(MANAGED, start=1)]
        acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            description="In front of the API of the order pipeline",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            rules=[rate, *managed],
            visibility_config=_counted("Firewall"),
        )
        wafv2.CfnWebACLAssociation(self, "Association", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn)


def _managed(name: str, priority: int) -> wafv2.CfnWebACL.RuleProperty:
    """A group of AWS's rules."""
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(
                        name=counted, action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={})
                    )
                    for counted in MANAGED[name]
                ]
                or None,
            )
        ),
        visibility_config=_counted(name),
    )


def _counted(metric: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=False
    )
