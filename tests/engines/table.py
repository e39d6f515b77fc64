"""The functions' table in the emulator, which can be read and set as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.local.emulator.process import Emulator
from tests.builders.environment import TABLE
from tests.builders.tables import create_table

Item = dict[str, Any]
Items = dict[tuple[str, str], Item]
"""A table's items by partition and sort key."""

_BATCH = 25


class Table:
    """A table that can be read as a whole, and set to what it was.

    Args:
        client: a DynamoDB client of the test's own, which no tap sees.
        name: the table's name.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def items(self) -> Items:
        """Every item."""
        items: Items = {}
        request: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True}
        while True:
            page = self._client.scan(**request)
            items |= {(item["PK"]["S"], item["SK"]["S"]): item for item in page["Items"]}
            if "LastEvaluatedKey" not in page:
                return items
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def set(self, items: Items, there: Items | None = None) -> None:
        """Make the table hold these items and no others. ``there``: what it holds now, where that is known."""
        there = self.items() if there is None else there
        writes: list[dict[str, Any]] = [
            {"PutRequest": {"Item": item}} for key, item in items.items() if there.get(key) != item
        ]
        writes += [
            {"DeleteRequest": {"Key": {"PK": there[key]["PK"], "SK": there[key]["SK"]}}} for key in there.keys() - items
        ]
        for start in range(0, len(writes), _BATCH):
            self._client.batch_write_item(RequestItems={self.name: writes[start : start + _BATCH]})


@contextmanager
def table(emulator: Emulator) -> Iterator[Table]:
    """The functions' table in the emulator, empty at first; it is there for the time of the block."""
    client = emulator.client("dynamodb")
    create_table(client, TABLE)
    yield Table(client, TABLE)
    client.delete_table(TableName=TABLE)
