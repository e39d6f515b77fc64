"""The layer of tables: requests that DynamoDB throttles."""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from handlers.table import keys
from infra.constructs.watching.alarm import FIVE_MINUTES, inform, total
from infra.settings.alarms import AlarmSettings


def watch_throttles(scope: Construct, table: str, vault: str, settings: AlarmSettings) -> None:
    """Reads or writes are throttled of the table or the vault, by their names, or writes to an index of the table."""
    throttled = [
        *(_throttled(what, name) for what in ("Read", "Write") for name in (table, vault)),
        *(_throttled("Write", table, index.name) for index in keys.INDEXES),
    ]
    inform(
        scope,
        "table-throttles",
        f"DynamoDB throttled {settings.table_throttles} reads or writes within five minutes.",
        total(throttled, FIVE_MINUTES),
        settings.table_throttles,
    )


def _throttled(what: str, table: str, index: str | None = None) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name=f"{what}ThrottleEvents",
        dimensions_map={"TableName": table, **({"GlobalSecondaryIndexName": index} if index else {})},
        statistic="sum",
        period=FIVE_MINUTES,
    )
