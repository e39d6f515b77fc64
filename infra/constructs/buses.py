"""Two buses, so that nobody outside can forge a domain event: the intake bus for publishers, the orders bus for us."""

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from handlers.projections import replays
from infra.names import ARCHIVE_NAME, INTAKE_BUS_NAME, ORDERS_BUS_NAME

# EventBridge marks a replayed event with this field and nothing else does.
NO_REPLAY = [{"exists": False}]


class IntakeBus(events.EventBus):
    """Where publishers put integration events. `publishers` is the managed policy to attach to them."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, event_bus_name=INTAKE_BUS_NAME)
        self.publishers = iam.ManagedPolicy(
            self,
            "Publishers",
            description="May put integration events on the intake bus, and nothing else.",
            statements=[iam.PolicyStatement(actions=["events:PutEvents"], resources=[self.event_bus_arn])],
        )


class OrdersBus(events.EventBus):
    """Where the outbox puts domain events. Archived, for replays into projections."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, event_bus_name=ORDERS_BUS_NAME)
        events.CfnArchive(
            self,
            "Archive",
            archive_name=ARCHIVE_NAME,
            source_arn=self.event_bus_arn,
            retention_days=replays.KEPT.days,
            event_pattern={"source": [{"prefix": "orders."}], "replay-name": NO_REPLAY},
        )

    def only_from(self, role: iam.IRole) -> None:
        """Let `role` put events, and deny it to every other principal of any account."""
        role.add_to_principal_policy(iam.PolicyStatement(actions=["events:PutEvents"], resources=[self.event_bus_arn]))
        events.CfnEventBusPolicy(
            self,
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
