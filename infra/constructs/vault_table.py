"""The vault: the table of persons and payment tokens. Nothing streams, copies, scans or rebuilds it."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.key_condition import named_and_among, naming_among, returning_nothing
from infra.function_spec import VaultItems
from infra.names import VAULT_TABLE_NAME
from infra.retention import BACKUPS


class VaultTable(dynamodb.Table):
    """On demand, kept on deletion, recoverable to any second, encrypted; without a stream and without indexes."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            table_name=VAULT_TABLE_NAME,
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=BACKUPS.days
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
            time_to_live_attribute="expires_at",
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
        )

    def grant_items(self, role: iam.IRole, items: VaultItems) -> None:
        """Allow `role` the actions of `items` on the items under its keys, and on no other.

        What writes may not ask for the item either.
        """
        reading = {} if items.attributes is None else naming_among(("PK", "SK", *items.attributes))
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=list(items.actions),
                resources=[self.table_arn],
                conditions=named_and_among([items.keys]) | (reading or returning_nothing()),
            )
        )
