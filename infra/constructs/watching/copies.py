"""The layer of copies: the audit copy and backups, without which nothing can be compared or restored."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.watching.alarm import FIVE_MINUTES, inform
from infra.settings.alarms import AlarmSettings


def watch_audit_copy(scope: Construct, firehose: str, settings: AlarmSettings) -> None:
    """The stream of Firehose with that name delivers late. Until it has, the doctor takes events for unpublished."""
    inform(
        scope,
        "audit-copy-late",
        f"The audit copy is {settings.audit_copy_minutes} minutes late.",
        cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name="DeliveryToS3.DataFreshness",
            dimensions_map={"DeliveryStreamName": firehose},
            statistic="max",
            period=FIVE_MINUTES,
        ),
        settings.audit_copy_minutes * 60,
    )


def watch_backups(scope: Construct, vault: str) -> None:
    """A backup into the backup vault with that name failed. Point-in-time recovery does not depend on it."""
    inform(
        scope,
        "backup-failed",
        "A table was not backed up.",
        cloudwatch.Metric(
            namespace="AWS/Backup",
            metric_name="NumberOfBackupJobsFailed",
            dimensions_map={"BackupVaultName": vault},
            statistic="sum",
            period=Duration.hours(1),
        ),
        1,
    )
