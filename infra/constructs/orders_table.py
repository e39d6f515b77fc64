"""The one table: the event log, the read models and the sandbox's books."""

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from handlers.table import keys
from infra.constructs.keeping import KEPT
from infra.constructs.key_condition import named_and_among
from infra.constructs.template import name_in_template
from infra.function_spec import SCAN, Rows
from infra.retention import BACKUPS
from infra.settings.environment import AdoptedStreamingTable


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


class OrdersTable(Construct):
    """On demand, kept on deletion, recoverable to any second, encrypted, with a stream of new images; or one `adopted`.

    `protected`: it refuses to be deleted.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, protected: bool, adopted: AdoptedStreamingTable | None
    ) -> None:
        super().__init__(scope, f"{construct_id}Table")
        table = self._adopted(adopted) if adopted else self._made(construct_id, protected)
        self.table_name, self.table_arn = table.table_name, table.table_arn
        if table.table_stream_arn is None:
            raise ValueError("the table has no stream")
        self.stream_arn = table.table_stream_arn

    def _adopted(self, table: AdoptedStreamingTable) -> dynamodb.ITable:
        arn = Stack.of(self).format_arn(service="dynamodb", resource="table", resource_name=table.name)
        return dynamodb.Table.from_table_attributes(
            self, "Adopted", table_arn=arn, table_stream_arn=f"{arn}/stream/{table.stream}"
        )

    def _made(self, logical_id: str, protected: bool) -> dynamodb.ITable:
        made = dynamodb.Table(
            self,
            "Table",
            partition_key=_string("PK"),
            sort_key=_string("SK"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=BACKUPS.days
            ),
            deletion_protection=protected,
            removal_policy=KEPT,
            time_to_live_attribute="expires_at",
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
        )
        name_in_template(made, logical_id)
        for index in keys.INDEXES:
            made.add_global_secondary_index(
                index_name=index.name,
                partition_key=_string(index.pk),
                sort_key=_string(index.sk),
                projection_type=dynamodb.ProjectionType.INCLUDE if index.holds else dynamodb.ProjectionType.KEYS_ONLY,
                non_key_attributes=list(index.holds) or None,
            )
        return made

    def grant_rows(self, role: iam.IRole, rows: Rows) -> None:
        """Allow `role` the actions of `rows` on the items under its keys, and on no other item. A scan has no keys."""
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=list(rows.actions),
                resources=[f"{self.table_arn}/index/{rows.index}" if rows.index else self.table_arn],
                conditions=None if rows.actions == (SCAN,) else named_and_among(rows.keys),
            )
        )

    def grant_stream_reading(self, role: iam.IRole) -> None:
        """Allow `role` to read the table's stream, for the mapping of a function."""
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                resources=[self.stream_arn],
            )
        )
        # ListStreams takes no resource; Lambda asks for it when the mapping is created.
        role.add_to_principal_policy(iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=["*"]))
