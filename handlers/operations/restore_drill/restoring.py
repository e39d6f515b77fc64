"""Restoring tables to a moment, under other names, and removing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from handlers.operations.errors import InvalidRequest, OperationFailed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PATIENCE = timedelta(hours=12)
"""How long restoring may take. AWS says: usually less than an hour, more where a table's data is unevenly spread."""


class Tables(NamedTuple):
    """The names of the table of the log, and of the vault."""

    orders: str
    vault: str

    def drill(self, now: datetime) -> Tables:
        """What tables are called that a drill at that time makes of these."""
        suffix = f"drill-{now:%Y%m%dT%H%M%SZ}"
        return Tables(f"{self.orders}-{suffix}", f"{self.vault}-{suffix}")


def restorable(client: DynamoDBClient, tables: Tables, at: datetime | None = None) -> datetime:
    """The moment to restore tables to, to the second: the one asked for, or else the latest there is for all of them.

    Raises:
        InvalidRequest: they cannot be restored to that moment.
        OperationFailed: one of them has no point-in-time recovery.
    """
    windows = [_window(client, table) for table in tables]
    earliest, latest = max(first for first, _ in windows), min(last for _, last in windows)
    moment = (at or latest).replace(microsecond=0)
    if not earliest.replace(microsecond=0) <= moment <= latest:
        raise InvalidRequest(f"{moment} cannot be restored, but any moment from {earliest} to {latest}")
    return moment


def _window(client: DynamoDBClient, table: str) -> tuple[datetime, datetime]:
    answer = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = answer.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise OperationFailed(f"{table} cannot be restored: it has no point-in-time recovery")
    return recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]


@contextmanager
def restored(
    client: DynamoDBClient,
    source: Tables,
    target: Tables,
    moment: datetime,
    *,
    keep: bool,
    poll_seconds: float,
    on_left: Callable[[str], None],
) -> Iterator[Tables]:
    """The tables as they were at a moment, under other names, for the time of the block; with ``keep``, for good.

    Args:
        client: a DynamoDB client.
        source: what is restored.
        target: what it is called.
        moment: as `restorable` gives it.
        keep: leave them, however the block ends.
        poll_seconds: how long to wait before asking again whether they are there.
        on_left: is called with the name of each that could not be removed: one that is still being restored.

    Raises:
        OperationFailed: they are not there after `PATIENCE`.
    """
    begun: list[str] = []
    try:
        for table, name in zip(source, target, strict=True):
            begun.append(name)  # first, for the answer may get lost
            try:
                client.restore_table_to_point_in_time(
                    SourceTableName=table, TargetTableName=name, RestoreDateTime=moment
                )
            except client.exceptions.TableAlreadyExistsException:
                begun.remove(name)
                raise
        _await(client, target, poll_seconds)
        yield target
    finally:
        if not keep:
            for name in begun:
                if not _remove(client, name):
                    on_left(name)


def _await(client: DynamoDBClient, tables: Tables, poll_seconds: float) -> None:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while not all(_is_there(client, table) for table in tables):
        if time.monotonic() > deadline:
            raise OperationFailed(f"not restored within {PATIENCE}: {', '.join(tables)}")
        time.sleep(poll_seconds)


def _is_there(client: DynamoDBClient, table: str) -> bool:
    try:
        return client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"
    except client.exceptions.ResourceNotFoundException:  # just begun
        return False


def _remove(client: DynamoDBClient, table: str) -> bool:
    """Remove a table, if it is there; False where it cannot be removed yet."""
    try:
        client.delete_table(TableName=table)
    except client.exceptions.ResourceInUseException:
        return False
    except client.exceptions.ResourceNotFoundException:
        pass
    return True
