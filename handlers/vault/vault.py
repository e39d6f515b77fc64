"""The vault's items of persons: one an order, written together with the event that places it, and at no other time.

So no crash parts the two, and a late redelivery of a submission brings nobody back who was forgotten.

Source of the idea: the "forgettable payload" pattern of event sourcing: an event cannot be edited, so it holds no
personal data, but a reference to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from events.ordering import OrderPlaced
from events.shops import of_shop, shop_of
from handlers.retry_policy import classified
from handlers.table import keys
from handlers.table.codec import decode, encode
from handlers.vault.person import Person

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True, slots=True)
class Known:
    """What the vault has of an order: the person behind it, and why they cancelled it, if they said."""

    person: Person
    cancellation_reason: str | None = None


class Vault:
    """Reads and writes persons.

    Args:
        client: a low-level DynamoDB client.
        table: the name of the vault's table.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def put(self, placed: OrderPlaced, person: Person, key: bytes) -> TransactWriteItemTypeDef:
        """What puts the person behind an order into the vault, for the transaction that places the order."""
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    **keys.person(placed.order_id, placed.customer_id).attributes,
                    **encode({"person": person.model_dump_json(exclude_none=True), "content_key": key.hex()}),
                },
                "ConditionExpression": "attribute_not_exists(PK)",
            }
        }

    def read(self, placed: OrderPlaced) -> Known | None:
        """What the vault has of an order, read consistently; None where the person is forgotten.

        Raises:
            Retryable: try again.
        """
        item = self._read(placed, "person", "cancellation_reason")
        return _known(item) if item else None

    def of_customer(self, customer_id: str) -> Iterator[tuple[str, Known]]:
        """What the vault has of each of a customer's orders, with the order's id. Raises as `read` does."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "PK = :partition",
            "ExpressionAttributeValues": encode({":partition": keys.persons_of(customer_id)}),
            "ConsistentRead": True,
        }
        while True:
            with classified():
                page = self._client.query(**request)
            for item in map(decode, page["Items"]):
                yield of_shop(shop_of(customer_id), item["SK"]), _known(item)
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def content_key(self, placed: OrderPlaced) -> bytes | None:
        """The key of the content hash in an order's event, and nothing of the person; else as `read`.

        It is random. While it is here, a repeated submission is told from another one; afterwards the hash tells
        nothing.
        """
        item = self._read(placed, "content_key")
        return bytes.fromhex(item["content_key"]) if item else None

    def _read(self, placed: OrderPlaced, *attributes: str) -> dict[str, Any] | None:
        with classified():
            answer = self._client.get_item(
                TableName=self._table,
                Key=keys.person(placed.order_id, placed.customer_id).attributes,
                ProjectionExpression=", ".join(("PK", *attributes)),
                ConsistentRead=True,
            )
        return decode(answer["Item"]) if "Item" in answer else None

    def email(self, placed: OrderPlaced) -> str | None:
        """Where e-mails about an order go; None where there is no address, or not any more. Raises as `read` does."""
        known = self.read(placed) if placed.has_email else None
        return known.person.email if known else None

    def keep_reason(self, placed: OrderPlaced, reason: str) -> None:
        """Keep why the customer cancels an order, unless the person is forgotten. Doing it again changes nothing.

        Raises:
            Retryable: try again.
        """
        try:
            with classified():
                self._client.update_item(
                    TableName=self._table,
                    Key=keys.person(placed.order_id, placed.customer_id).attributes,
                    UpdateExpression="SET cancellation_reason = :reason",
                    ConditionExpression="attribute_exists(PK) AND attribute_not_exists(cancellation_reason)",
                    ExpressionAttributeValues=encode({":reason": reason}),
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return


def _known(item: Mapping[str, Any]) -> Known:
    return Known(Person.model_validate_json(item["person"]), item.get("cancellation_reason"))
