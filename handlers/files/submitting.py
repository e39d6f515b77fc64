"""Submits the orders of a file to order intake, each once: its queue, and markers of the orders that appeared.

A marker says in which row of the file an order began. After a crash it distinguishes an order that was sent before,
which begins in the same row, from one that returns, which does not.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from handlers.retry_policy import until_taken
from handlers.table import keys
from handlers.table.codec import decode, encode
from handlers.table.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

MAX_KEYS = 100
"""What one BatchGetItem call may ask for."""
_MAX_PUTS = 25
_MAX_ENTRIES, _MAX_BYTES = 10, 256 * 1024

KEPT = timedelta(days=30)
"""How long a marker is kept: longer than a file, which is imported again only while it is there."""


class Markers:
    """The markers of one import, in the table."""

    def __init__(self, client: DynamoDBClient, table: str, import_id: str) -> None:
        self._client = client
        self._table = table
        self._import_id = import_id

    def first_rows(self, order_ids: Collection[str]) -> dict[str, int]:
        """The rows in which these orders began, of those that have a marker; at most ``MAX_KEYS`` may be asked for."""
        found: dict[str, int] = {}
        prefix = keys.imported(self._import_id)

        def get(wanted: list[Any]) -> list[Any]:
            answer: Any = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
            )
            for item in answer["Responses"].get(self._table, []):
                found[Key.of(item).pk.removeprefix(prefix)] = decode(item)["first_row"]
            unprocessed: list[Any] = answer["UnprocessedKeys"].get(self._table, {}).get("Keys", [])
            return unprocessed

        until_taken(get, [self._key(order_id) for order_id in order_ids])
        return found

    def put(self, first_rows: Mapping[str, int]) -> None:
        """Write in which rows these orders begin."""
        expires_at = int(time.time() + KEPT.total_seconds())

        def write(puts: list[Any]) -> list[Any]:
            answer: Any = self._client.batch_write_item(RequestItems={self._table: puts})
            unprocessed: list[Any] = answer["UnprocessedItems"].get(self._table, [])
            return unprocessed

        puts = [
            {"PutRequest": {"Item": {**self._key(order_id), **encode({"first_row": row, "expires_at": expires_at})}}}
            for order_id, row in first_rows.items()
        ]
        for start in range(0, len(puts), _MAX_PUTS):
            until_taken(write, puts[start : start + _MAX_PUTS])

    def _key(self, order_id: str) -> Mapping[str, Any]:
        return keys.imported_order(self._import_id, order_id).attributes


class OrderQueue:
    """Order intake's queue."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Sequence[str]) -> None:
        """Send these messages; raises NotTaken if the queue does not accept some of them."""

        def send(entries: list[Any]) -> list[Any]:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            failed = {failure["Id"] for failure in answer.get("Failed", [])}
            return [entry for entry in entries if entry["Id"] in failed]

        for batch in _batches(bodies):
            until_taken(send, [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)])


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """Messages in batches that one SendMessageBatch call accepts."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == _MAX_ENTRIES or size + length > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
