"""Evidence of a run: reading what the audit looks at off the pipeline on this machine."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infra.audit import table
from infra.audit.run import DeadLetter
from infra.audit.table import Item, Table

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline


def read_table(pipeline: Pipeline) -> Table:
    """Scan the table."""
    return table.read_table(pipeline.client("dynamodb"), pipeline.table_name)


def read_dead_letters(pipeline: Pipeline) -> list[DeadLetter]:
    """What lies in the dead-letter queues, and was not read before."""
    client = pipeline.client("sqs")
    return [
        DeadLetter(url.rpartition("/")[2], _detail(message["Body"]), _reasons(message))
        for url in pipeline.all_dead_letters_urls
        for message in drain(client, url)
    ]


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


def _reasons(message: Item) -> str | None:
    reasons: str | None = message.get("MessageAttributes", {}).get("reasons", {}).get("StringValue")
    return reasons
