"""Payment tokens: each an item of its own in the vault, needed until the charge is authorized, and never longer.

A token is put before the event that places its order, under that event's content hash, which no other submission of the
order has: one whose event was never appended is read by nobody, and expires.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.ordering import OrderPlaced
from handlers.retry_policy import classified
from handlers.table import keys
from handlers.table.codec import decode, encode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

LIFETIME = timedelta(days=14)
"""After that DynamoDB deletes a token: the longest that messages of a queue can wait."""


class PaymentTokens:
    """Reads and writes payment tokens.

    Args:
        client: a low-level DynamoDB client.
        table: the name of the vault's table.
        clock: gives the time in UTC.
    """

    def __init__(self, client: DynamoDBClient, table: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def put(self, placed: OrderPlaced, token: str) -> None:
        """Keep the token that an order is paid with. Raises Retryable: try again."""
        expires_at = int((self._clock() + LIFETIME).timestamp())
        with classified():
            self._client.put_item(
                TableName=self._table,
                Item={**_key(placed), **encode({"payment_token": token, "expires_at": expires_at})},
            )

    def read(self, placed: OrderPlaced) -> str | None:
        """The token that an order is paid with, read consistently; None once it is not needed any more, or expired.

        Raises:
            Retryable: try again.
        """
        with classified():
            answer = self._client.get_item(TableName=self._table, Key=_key(placed), ConsistentRead=True)
        if "Item" not in answer:
            return None
        token: str = decode(answer["Item"])["payment_token"]
        return token

    def delete(self, placed: OrderPlaced) -> None:
        """Delete the token of an order. Doing it again changes nothing. Raises Retryable: try again."""
        with classified():
            self._client.delete_item(TableName=self._table, Key=_key(placed))


def _key(placed: OrderPlaced) -> dict[str, AttributeValueTypeDef]:
    return keys.payment_token(placed.order_id, placed.content_hash).attributes
