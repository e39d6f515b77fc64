"""The table as a scan reads it: page by page, in segments that can be read side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from events.envelope import Recorded
from handlers.projections.engine.projection import Item
from handlers.retry_policy import classified
from handlers.table import keys
from handlers.table.codec import encode
from handlers.table.event_store import recorded
from handlers.table.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGE_ITEMS = 250
"""Two pages are in memory at a time: the one that is processed, and the next. A page has 1 MB at most, too."""


class Segment(NamedTuple):
    """One of ``of`` segments of the table, from 0."""

    number: int
    of: int


class Page(NamedTuple):
    """A page of a scan, and the cursor: the key to continue after, or None where it was the last page."""

    items: Sequence[Item]
    cursor: Key | None


def pages(
    client: DynamoDBClient, table: str, segment: Segment, after: Key | None, *, only: Mapping[str, Any] | None = None
) -> Iterator[Page]:
    """Scan a segment, read consistently. ``only``: a filter, and what to read of each item, as a scan takes them.

    Raises:
        Retryable: try again.
    """
    request: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": True,
        "Segment": segment.number,
        "TotalSegments": segment.of,
        "Limit": _PAGE_ITEMS,
        **(only or {}),
    }
    while True:
        if after:
            request["ExclusiveStartKey"] = after.attributes
        with classified():
            answer = client.scan(**request)
        last = answer.get("LastEvaluatedKey")
        after = Key.of(last) if last else None
        yield Page(answer["Items"], after)
        if after is None:
            return


EVENTS_ONLY: Mapping[str, Any] = {
    "FilterExpression": "begins_with(SK, :event)",
    "ExpressionAttributeValues": encode({":event": keys.EVENT}),
}
"""A filter: events and nothing else."""


def is_event(item: Item) -> bool:
    """Whether an item is an event of the log."""
    return Key.of(item).sk.startswith(keys.EVENT)


class Unreadable(Exception):
    """An event in the log cannot be read."""


def event(item: Item) -> Recorded:
    """The event that an item is.

    Raises:
        Unreadable: this code does not know its type, or its content does not fit.
    """
    try:
        return recorded(item)
    except (KeyError, ValueError) as problem:
        raise Unreadable(f"{' '.join(Key.of(item))}: {problem!r}") from problem
