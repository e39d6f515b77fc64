"""What the audit of a run checks, read from the pipeline on this machine."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.operations.audit import table
from handlers.operations.audit.run import DeadLetter, SentEmail
from handlers.operations.audit.table import Item, Table

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline


def read_table(pipeline: Pipeline) -> Table:
    """Scan the table."""
    return table.read_table(pipeline.client("dynamodb"), pipeline.table_name)


def read_persons(pipeline: Pipeline) -> dict[str, Item]:
    """The vault's items of persons, by order id."""
    pages = pipeline.client("dynamodb").get_paginator("scan").paginate(TableName=pipeline.outputs["VaultTableName"])
    items = (table.plain(item) for page in pages for item in page["Items"])
    return {f"{item['PK'].partition('#')[0]}.{item['SK']}": item for item in items if "person" in item}


def read_rejection_key(pipeline: Pipeline) -> bytes:
    """The key of the content hashes in rejections."""
    secret = pipeline.client("secretsmanager").get_secret_value(SecretId=pipeline.outputs["RejectionKeyArn"])
    key: str = secret["SecretString"]
    return key.encode()


def read_dead_letters(pipeline: Pipeline, known: Container[str] = ()) -> dict[str, DeadLetter]:
    """The open dead-letter messages by their keys, without those whose keys are in ``known``."""
    bucket = DeadLetterBucket(pipeline.client("s3"), pipeline.outputs["DeadLetterBucketName"])
    return {
        key: DeadLetter(message.source, _detail(message.body), message.reasons)
        for key, message in bucket.read_all(key for key in bucket.open_keys() if key not in known)
    }


def read_emails(pipeline: Pipeline) -> list[SentEmail]:
    """The e-mails that SES sent."""
    with urllib.request.urlopen(f"{pipeline.endpoint}/_ministack/ses/messages", timeout=30) as answer:  # noqa: S310
        accounts: Mapping[str, Sequence[Item]] = json.loads(answer.read())["messages"]
    return [
        SentEmail(email["MessageId"], ", ".join(email["To"]), email["Subject"])
        for emails in accounts.values()
        for email in emails
    ]


def _detail(body: str) -> Any:
    try:
        return json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return None
