"""The sandboxes' own books: what an outside service would keep, in the table under keys of its own.

They know nothing of the log, so that a double charge, or a parcel sent for nothing, would show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handlers.retry_policy import classified
from handlers.table import keys
from handlers.table.codec import decode, encode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Book = Mapping[str, Any]
"""What a sandbox holds under a key: ``{"book_state": "captured", "captured": 100}``."""


class Books:
    """The books of one sandbox; a book per idempotency key.

    Args:
        client: a low-level DynamoDB client.
        table: the table's name.
        owner: the sandbox's name, which its keys begin with.
    """

    def __init__(self, client: DynamoDBClient, table: str, owner: str) -> None:
        self._client = client
        self._table = table
        self._owner = owner

    def change(self, key: str, update: str, condition: str, values: Mapping[str, str | int]) -> tuple[Book, bool]:
        """Change a book if the condition holds; ``:name`` is replaced by a value.

        Returns the book as it then is, and whether this call changed it.

        Raises:
            Retryable: try again.
        """
        try:
            return self._update(key, update, values, ConditionExpression=condition), True
        except self._client.exceptions.ConditionalCheckFailedException as failure:
            response: Mapping[str, Any] = failure.response
            return decode(response.get("Item", {})), False

    def attempt(self, key: str) -> int:
        """Note that a call came in, whatever becomes of it; returns which it is, from 1.

        Raises:
            Retryable: try again.
        """
        attempt: int = self._update(key, "ADD attempts :one", {"one": 1})["attempts"]
        return attempt

    def _update(self, key: str, update: str, values: Mapping[str, str | int], **condition: str) -> Book:
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": keys.book(self._owner, key).attributes,
            "UpdateExpression": update,
            "ExpressionAttributeValues": encode({f":{name}": value for name, value in values.items()}),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **condition,
        }
        with classified():
            return decode(self._client.update_item(**request)["Attributes"])
