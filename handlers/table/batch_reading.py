"""Reading items of the table by key, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from handlers.retry_policy import until_taken
from handlers.table.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from handlers.projections.engine.projection import Item

_MOST_KEYS = 100
"""How many keys a BatchGetItem takes."""


def items(client: DynamoDBClient, table: str, keys: Iterable[Key], *, keys_alone: bool = False) -> dict[Key, Item]:
    """The items that are there, read consistently; of each its key alone, where that is enough.

    Raises:
        Retryable: DynamoDB left some unread in several attempts, or is not reached.
    """
    found: dict[Key, Item] = {}
    part = {"ProjectionExpression": "PK, SK"} if keys_alone else {}

    def read(wanted: dict[str, Any]) -> dict[str, Any]:
        answer = client.batch_get_item(RequestItems=wanted)
        found.update({Key.of(item): item for item in answer["Responses"].get(table, [])})
        left: dict[str, Any] = dict(answer["UnprocessedKeys"])
        return left

    different = iter(dict.fromkeys(keys))
    while batch := [key.attributes for key in islice(different, _MOST_KEYS)]:
        until_taken(read, {table: {"Keys": batch, "ConsistentRead": True, **part}})
    return found
