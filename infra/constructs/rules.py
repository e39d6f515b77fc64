"""Rules on the buses."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.buses import NO_REPLAY
from infra.constructs.trust import assumed_by


def rule(
    scope: Construct,
    bus: events.IEventBus,
    pattern: Mapping[str, Any],
    *,
    replays: bool = False,
    name: str | None = None,
) -> events.Rule:
    """A rule on `bus` for `pattern`. Unless `replays`, replayed events are excluded."""
    # The construct's own pattern has no replay-name and must not be empty, so it is replaced as a whole.
    made = events.Rule(scope, "Rule", event_bus=bus, event_pattern=events.EventPattern(version=["0"]), rule_name=name)
    resource = made.node.default_child
    assert isinstance(resource, events.CfnRule)
    resource.event_pattern = dict(pattern) if replays else {**pattern, "replay-name": NO_REPLAY}
    return made


def rule_role(scope: Construct, construct_id: str, bus: events.IEventBus) -> iam.Role:
    """A role for the target of a rule on `bus`. It trusts every rule there is on it: a rule names its role."""
    rules = Stack.of(scope).format_arn(service="events", resource="rule", resource_name=f"{bus.event_bus_name}/*")
    return iam.Role(scope, construct_id, assumed_by=assumed_by(scope, "events", source=rules))
