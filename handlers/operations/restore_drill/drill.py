"""The restore drill, once the tables are there: erasing from them first, then reading and comparing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from handlers.operations.audit.copy import AuditCopy
from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.table import read_table
from handlers.operations.erasure.again import ErasedAgain, erase_again
from handlers.operations.erasure.ledger import Ledger
from handlers.operations.restore_drill.comparison import Difference, Restored, differences
from handlers.operations.restore_drill.restoring import Tables
from handlers.table.event_store import EventStore
from handlers.table.keys import Key
from handlers.vault.forgetting import Forgetting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


class Step(StrEnum):
    """What a drill does, one after the other, as people read it."""

    RESTORE = "restoring the tables"
    ERASE = "applying the ledger of erasures"
    COMPARE = "reading them, and comparing them with the audit copy"


@dataclass(frozen=True)
class Result:
    """What the ledger made of the restored tables, what was read of them, and what is wrong with them."""

    erased: ErasedAgain
    restored: Restored
    differences: Sequence[Difference]


def examine(
    client: DynamoDBClient,
    s3: S3Client,
    tables: Tables,
    *,
    ledger: str,
    audit: str,
    settled: datetime,
    on_step: Callable[[Step], None],
) -> Result:
    """Apply the ledger of erasures to restored tables, then read them and compare them with the audit copy.

    Args:
        client: a DynamoDB client.
        s3: an S3 client.
        tables: the restored tables; they are written to.
        ledger: the bucket of the ledger.
        audit: the bucket of the audit copy.
        settled: what occurred later is not compared.
        on_step: is called as each step begins.

    Raises:
        UnreadableCopy: an object of the audit copy is not what it should be.
        Retryable: try again, as where a table is busy.
        ClientError: AWS refuses.
    """
    on_step(Step.ERASE)
    # Before anything else reads them: whoever was erased since is back.
    erased = erase_again(
        EventStore(client, tables.orders), Forgetting(client, tables.vault), Ledger(s3, ledger), tables.orders
    )
    on_step(Step.COMPARE)
    table = read_table(client, tables.orders)
    copy = AuditCopy(s3, audit, until=settled)
    copy.read()
    appended = {(record.stream, record.version) for record in erased.appended}
    as_restored = replace(table, log={place: record for place, record in table.log.items() if place not in appended})
    restored = Restored(
        as_restored,
        Evidence(table).erased,
        frozenset(_keys(client, tables.vault)),
        copy.places,
        copy.since,
        settled,
    )
    return Result(erased, restored, list(differences(restored)))


def _keys(client: DynamoDBClient, table: str) -> Iterator[Key]:
    """The keys of a table's items, and nothing else of them."""
    pages = client.get_paginator("scan").paginate(TableName=table, ProjectionExpression="PK, SK", ConsistentRead=True)
    for page in pages:
        yield from map(Key.of, page["Items"])
