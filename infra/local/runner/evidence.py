"""Evidence of a run: reading what the audit looks at off the pipeline on this machine."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.operations.audit import table
from handlers.operations.audit.run import DeadLetter
from handlers.operations.audit.table import Item, Table

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline


def read_table(pipeline: Pipeline) -> Table:
    """Scan the table."""
    return table.read_table(pipeline.client("dynamodb"), pipeline.table_name)


def read_dead_letters(pipeline: Pipeline, but: Container[str] = ()) -> dict[str, DeadLetter]:
    """The open dead-letter messages by their keys, less those with the keys in ``but``."""
    bucket = DeadLetterBucket(pipeline.client("s3"), pipeline.outputs["DeadLetterBucketName"])
    return {
        key: DeadLetter(message.source, _detail(message.body), message.reasons)
        for key, message in bucket.read_all(key for key in bucket.open_keys() if key not in but)
    }


def read_emails(pipeline: Pipeline) -> list[str]:
    """The message ids of the e-mails that SES sent."""
    with urllib.request.urlopen(f"{pipeline.endpoint}/_ministack/ses/messages", timeout=30) as answer:  # noqa: S310
        accounts: Mapping[str, Sequence[Item]] = json.loads(answer.read())["messages"]
    return [email["MessageId"] for emails in accounts.values() for email in emails]


def drain(client: Any, url: str) -> Iterator[Item]:
    """The messages that are visible in a queue now. They stay in it, invisible as long as SQS keeps them so."""
    request = {
        "QueueUrl": url,
        "MaxNumberOfMessages": 10,
        "MessageAttributeNames": ["All"],
        "VisibilityTimeout": 43_200,
    }
    while messages := client.receive_message(**request).get("Messages"):
        yield from messages


def _detail(body: str) -> Any:
    try:
        return json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return None
