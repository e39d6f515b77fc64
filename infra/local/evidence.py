"""Evidence of a run: what the audit looks at, and reading it off the pipeline."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from events.envelope import Recorded
from events.store import recorded
from infra.stored_letters import StoredLetters

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline

Place = tuple[str, int]
"""Where an event stands in the log: its stream, and its version."""

Item = Mapping[str, Any]
"""Attributes of an item as plain values: texts and integers."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that no retry could handle: for whom it was, the detail in it if there is one, and why it is dead."""

    source: str
    detail: Any
    reasons: str


@dataclass(frozen=True)
class Table:
    """What the table holds.

    ``log`` has every event by its key, ``unreadable`` the keys of those that could not be read. Levels, views and books
    are by SKU, by order id, and by idempotency key.
    """

    log: Mapping[Place, Recorded] = field(default_factory=dict)
    unreadable: Sequence[str] = ()
    levels: Mapping[str, Item] = field(default_factory=dict)
    views: Mapping[str, Item] = field(default_factory=dict)
    charges: Mapping[str, Item] = field(default_factory=dict)
    consignments: Mapping[str, Item] = field(default_factory=dict)


def read_table(pipeline: Pipeline) -> Table:
    """Scan the table."""
    log: dict[Place, Recorded] = {}
    unreadable: list[str] = []
    others: dict[str, dict[str, Item]] = {
        "level#": {},
        "view#order#": {},
        "sandbox#payments#": {},
        "sandbox#shipping#": {},
    }
    for item in _scan(pipeline):
        key, sort_key = item["PK"]["S"], item["SK"]["S"]
        if sort_key.startswith("event#"):
            try:
                log[key, int(sort_key.removeprefix("event#"))] = recorded(item)
            except (KeyError, ValueError):
                unreadable.append(f"{key} {sort_key}")
            continue
        for prefix, items in others.items():
            if key.startswith(prefix):
                items[key.removeprefix(prefix)] = _plain(item)
    return Table(log, unreadable, *others.values())


def read_dead_letters(pipeline: Pipeline, but: Container[str] = ()) -> dict[str, DeadLetter]:
    """The open letters by their keys, less those with the keys in ``but``."""
    letters = StoredLetters(pipeline.client("s3"), pipeline.outputs["LettersBucketName"])
    return {
        key: DeadLetter(letter.source, _detail(letter.body), letter.reasons)
        for key, letter in letters.read_all(key for key in letters.open() if key not in but)
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


def _scan(pipeline: Pipeline) -> Iterator[Item]:
    pages = (
        pipeline.client("dynamodb").get_paginator("scan").paginate(TableName=pipeline.table_name, ConsistentRead=True)
    )
    for page in pages:
        yield from page["Items"]


def _plain(item: Item) -> Item:
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}


def _detail(body: str) -> Any:
    try:
        return json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return None
