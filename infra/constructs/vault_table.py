"""The vault: the table of persons and payment tokens. Nothing streams, copies, scans or rebuilds it."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.keeping import KEPT
from infra.constructs.key_condition import named_and_among, naming_among, returning_nothing
from infra.constructs.template import name_in_template
from infra.function_spec import VaultItems
from infra.retention import BACKUPS
from infra.settings.environment import AdoptedTable


class VaultTable(Construct):
    """On demand, kept on deletion, recoverable to any second, encrypted, without stream and indexes; or one `adopted`.

    `protected`: it refuses to be deleted.
    """

    def __init__(self, scope: Construct, construct_id: str, *, protected: bool, adopted: AdoptedTable | None) -> None:
        super().__init__(scope, f"{construct_id}Table")
        if adopted:
            table = dynamodb.Table.from_table_name(self, "Adopted", adopted.name)
        else:
            table = self._made(construct_id, protected)
        self.table_name, self.table_arn = table.table_name, table.table_arn

    def _made(self, logical_id: str, protected: bool) -> dynamodb.ITable:
        made = dynamodb.Table(
            self,
            "Table",
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
        name_in_template(made, logical_id)
        return made

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
