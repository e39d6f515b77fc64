"""Forgetting: finding what the vault has of a customer or an order by its keys alone, and deleting it.

Nothing personal is read. Every deletion may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from events.shops import of_shop, own_id, shop_of
from handlers.retry_policy import classified
from handlers.table import keys
from handlers.table.codec import encode
from handlers.table.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Forgetting:
    """Finds and deletes the vault's items. Every method may raise Retryable: try again.

    Args:
        client: a low-level DynamoDB client.
        table: the name of the vault's table.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def orders_of(self, customer_id: str, *, after: str | None, limit: int) -> list[str]:
        """The ids of a customer's orders that the vault has somebody behind, sorted: up to ``limit``, after one."""
        later = ("SK > :value", own_id(after)) if after else ()
        found = self._keys(keys.persons_of(customer_id), *later)
        return [of_shop(shop_of(customer_id), key.sk) for key in islice(found, limit)]

    def person(self, order_id: str, customer_id: str | None) -> list[Key]:
        """The key of the person behind an order, if the vault has one."""
        key = keys.person(order_id, customer_id)
        return list(self._keys(key.pk, "SK = :value", key.sk))

    def payment_tokens(self, order_id: str) -> list[Key]:
        """The keys of an order's payment tokens."""
        return list(self._keys(keys.payment_tokens(order_id)))

    def delete(self, key: Key) -> None:
        """Delete an item."""
        with classified():
            self._client.delete_item(TableName=self._table, Key=key.attributes)

    def _keys(self, partition: str, condition: str = "", value: str = "") -> Iterator[Key]:
        """The keys of the items in a partition, read consistently; with a condition, those whose sort key meets it."""
        values = {":partition": partition} | ({":value": value} if condition else {})
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": " AND ".join(filter(None, ("PK = :partition", condition))),
            "ExpressionAttributeValues": encode(values),
            "ProjectionExpression": "PK, SK",
            "Select": "SPECIFIC_ATTRIBUTES",
            "ConsistentRead": True,
        }
        while True:
            with classified():
                page = self._client.query(**request)
            yield from map(Key.of, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
