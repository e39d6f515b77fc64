"""The vault: the table of persons and payment tokens. Nothing streams, copies, scans or rebuilds it."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.keeping import KEPT
from infra.constructs.key_condition import named_and_among
from infra.constructs.template import name_in_template
from infra.function_spec import VaultItems
from infra.retention import BACKUPS


class VaultTable(dynamodb.Table):
    """On demand, kept on deletion, recoverable to any second, encrypted; without a stream and without indexes."""

    def __init__(self, scope: Construct, construct_id: str, *, protected: bool) -> None:
        super().__init__(
            scope,
            construct_id,
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=BACKUPS.days
            ),
            deletion_protection=protected,
            removal_policy=KEPT,
            time_to_live_attribute="expires_at",
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
        )
        name_in_template(self, construct_id)

    def grant_items(self, role: iam.IRole, items: VaultItems) -> None:
        """Allow `role` the actions of `items` on the items under its keys, and on no other."""
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=list(items.actions),
                resources=[self.table_arn],
                conditions=named_and_among([items.keys]),
            )
        )
