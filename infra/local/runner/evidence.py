"""Evidence of a run: reading what the audit looks at off the pipeline on this machine."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handlers.dead_letters.stored import StoredLetters
from handlers.operations.audit import table
from handlers.operations.audit.run import DeadLetter, SentEmail
from handlers.operations.audit.table import Item, Table

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline


def read_table(pipeline: Pipeline) -> Table:
    """Scan the table."""
    return table.read_table(pipeline.client("dynamodb"), pipeline.table_name)


def read_dead_letters(pipeline: Pipeline, but: Container[str] = ()) -> dict[str, DeadLetter]:
    """The open letters by their keys, less those with the keys in ``but``."""
    letters = StoredLetters(pipeline.client("s3"), pipeline.outputs["LettersBucketName"])
    return {
        key: DeadLetter(letter.source, _detail(letter.body), letter.reasons)
        for key, letter in letters.read_all(key for key in letters.open() if key not in but)
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
