"""The layer of rules: events that a rule matched and could not hand to its target."""

from collections.abc import Iterable

from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from constructs import Construct, IConstruct

from infra.constructs.watching.alarm import BURST, FIVE_MINUTES, inform, total


def watch_rules(scope: Construct, around: Iterable[IConstruct], of: str) -> cloudwatch.Alarm:
    """Invocations fail for good of the rules below the constructs `around`, ten at most."""
    rules = sorted(_below(around), key=lambda rule: rule.node.path)
    return inform(
        scope,
        "rule-failures",
        f"A rule ({of}) could not hand an event to its target.",
        total([_failed(rule) for rule in rules], FIVE_MINUTES),
        1,
        of=of,
        periods=int(BURST.to_minutes() / FIVE_MINUTES.to_minutes()),
        bad_periods=1,
    )


def _below(around: Iterable[IConstruct]) -> list[events.Rule]:
    return [each for construct in around for each in construct.node.find_all() if isinstance(each, events.Rule)]


def _failed(rule: events.Rule) -> cloudwatch.Metric:
    """On a bus of its own, a rule's ARN is `…:rule/<bus>/<rule>`, and CloudWatch wants both names."""
    path = Fn.split("/", rule.rule_arn)
    resource = rule.node.default_child
    assert isinstance(resource, events.CfnRule)
    bus = resource.event_bus_name
    on_default = bus is None or bus == "default"
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name="FailedInvocations",
        dimensions_map=(
            {"RuleName": Fn.select(1, path)}
            if on_default
            else {"EventBusName": Fn.select(1, path), "RuleName": Fn.select(2, path)}
        ),
        statistic="sum",
        period=FIVE_MINUTES,
    )
