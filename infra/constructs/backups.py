"""AWS Backup of both tables, beside their point-in-time recovery: the vault, and what fills it each day."""

from collections.abc import Iterable

from aws_cdk import Aws, Duration, Fn
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.keeping import KEPT
from infra.constructs.suppressing import suppress
from infra.constructs.trust import assumed_by
from infra.names import PRODUCT


class BackupVault(backup.BackupVault):
    """Kept, with the backups in it. So a new stack of the same name makes another one, as it does for another key."""

    def __init__(self, scope: Construct, construct_id: str, environment: str, *, customer_managed: bool) -> None:
        of_stack = Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))))
        name = f"{PRODUCT}-{environment}-{of_stack}"
        super().__init__(
            scope,
            construct_id,
            backup_vault_name=f"{name}-keyed" if customer_managed else name,
            removal_policy=KEPT,
        )


class Backups(Construct):
    """Backs up `tables`, by their ARNs, each night (UTC), and keeps each backup for so many `days`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        environment: str,
        *,
        tables: Iterable[str],
        days: int,
        customer_managed: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.vault = BackupVault(self, "Vault", environment, customer_managed=customer_managed)
        plan = backup.BackupPlan(
            self,
            "Plan",
            backup_plan_name=f"{PRODUCT}-{environment}",
            backup_vault=self.vault,
            backup_plan_rules=[
                backup.BackupPlanRule(
                    rule_name="Daily",
                    schedule_expression=events.Schedule.cron(hour="2", minute="0"),
                    delete_after=Duration.days(days),
                )
            ],
        )
        arns = list(tables)
        plan.add_selection(
            "Tables",
            resources=[backup.BackupResource.from_arn(arn) for arn in arns],
            role=self._role(arns),
            disable_default_backup_policy=True,
        )

    def _role(self, tables: list[str]) -> iam.Role:
        """What AWS Backup needs for tables: of its own managed policy, the part for DynamoDB, on these alone."""
        role = iam.Role(self, "Role", assumed_by=assumed_by(self, "backup"))
        on_table = ["DescribeTable", "CreateBackup", "StartAwsBackupJob", "ListTagsOfResource"]
        for actions, resources in (
            (on_table, tables),
            (["DescribeBackup", "DeleteBackup"], [f"{arn}/backup/*" for arn in tables]),
        ):
            role.add_to_policy(
                iam.PolicyStatement(actions=[f"dynamodb:{action}" for action in actions], resources=resources)
            )
        suppress(role, "AwsSolutions-IAM5", "AWS Backup names the backups, of these tables alone.", ending="/backup/*")
        return role
