"""Two buses, so that nobody outside can forge a domain event: the intake bus for publishers, the orders bus for us."""

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from events.integration import PUBLISHED_BY, Role
from handlers.projections import replays
from infra.constructs.keeping import KEPT
from infra.names import PRODUCT

# EventBridge marks a replayed event with this field and nothing else does.
NO_REPLAY = [{"exists": False}]


# The tag of a publisher's role or user that holds the EventBridge source of its events.
SOURCE_TAG = "order-source"


class IntakeBus(events.EventBus):
    """Where publishers put integration events. `publishers` are the managed policies to attach to them, by role."""

    def __init__(self, scope: Construct, construct_id: str, environment: str) -> None:
        super().__init__(scope, construct_id, event_bus_name=f"{PRODUCT}-{environment}-intake")
        self.publishers = {role: self._policy(role) for role in dict.fromkeys(PUBLISHED_BY.values())}

    def _policy(self, role: Role) -> iam.ManagedPolicy:
        """May put the events of a role on the bus, from the source that the publisher's own tag names.

        Source: EventBridge User Guide, "Using IAM policy conditions"; both keys may have several values.
        """
        own = {
            "events:detail-type": [event.__name__ for event, by in PUBLISHED_BY.items() if by == role],
            "events:source": f"${{aws:PrincipalTag/{SOURCE_TAG}}}",
        }
        return iam.ManagedPolicy(
            self,
            f"{role.capitalize()}Publishers",
            description=f"May put the events of a {role} on the intake bus, from the source in its tag {SOURCE_TAG}.",
            statements=[
                iam.PolicyStatement(
                    actions=["events:PutEvents"],
                    resources=[self.event_bus_arn],
                    # ForAllValues holds where there is no value at all, so that is ruled out.
                    conditions={"ForAllValues:StringEquals": own, "Null": dict.fromkeys(own, "false")},
                )
            ],
        )


class OrdersBus(events.EventBus):
    """Where the outbox puts domain events. Archived, for replays into projections."""

    def __init__(self, scope: Construct, construct_id: str, environment: str) -> None:
        super().__init__(scope, construct_id, event_bus_name=f"{PRODUCT}-{environment}-orders")
        self.kept_events = events.CfnArchive(
            self,
            "Archive",
            source_arn=self.event_bus_arn,
            retention_days=replays.KEPT.days,
            event_pattern={"source": [{"prefix": "orders."}], "replay-name": NO_REPLAY},
        )
        self.kept_events.apply_removal_policy(KEPT)

    def only_from(self, role: iam.Role) -> None:
        """Let `role` put events, and deny it to every other principal of any account. The policy is beside the role."""
        role.add_to_principal_policy(iam.PolicyStatement(actions=["events:PutEvents"], resources=[self.event_bus_arn]))
        events.CfnEventBusPolicy(
            role,
            "OnlyTheOutbox",
            event_bus_name=self.event_bus_name,
            statement_id="OnlyTheOutbox",
            statement={
                "Effect": "Deny",
                "Principal": "*",
                "Action": "events:PutEvents",
                "Resource": self.event_bus_arn,
                "Condition": {
                    "ArnNotEquals": {"aws:PrincipalArn": role.role_arn},
                    # EventBridge itself puts what it replays.
                    "Bool": {"aws:PrincipalIsAWSService": "false"},
                },
            },
        )
