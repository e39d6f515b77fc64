"""The functions' table and their vault in the emulator, which can be read and set as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from infra.local.emulator.process import Emulator
from tests.builders.environment import TABLE, VAULT_TABLE
from tests.builders.tables import create_table, create_vault

Item = dict[str, Any]
Key = tuple[str, str]
"""The partition, and of one of the vault :func:`in_vault` of it; and the sort key."""
Items = dict[Key, Item]
"""The items of the table and of the vault by key."""

_BATCH = 25


def in_vault(partition: str) -> str:
    """The first part of the key of an item in the vault."""
    return f"{VAULT_TABLE}/{partition}"


def key_of(table: str, item: Mapping[str, Any]) -> Key:
    """The key of an item of the table of that name, or of a part of it that has the keys."""
    partition, sort_key = item["PK"]["S"], item["SK"]["S"]
    return (in_vault(partition) if table == VAULT_TABLE else partition), sort_key


class Table:
    """The table and the vault, which can be read as a whole, and set to what they were.

    Args:
        client: a DynamoDB client of the test's own, which no tap sees.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def items(self) -> Items:
        """Every item."""
        return {key_of(name, item): item for name in (TABLE, VAULT_TABLE) for item in self._items_of(name)}

    def _items_of(self, name: str) -> Iterator[Item]:
        for page in self._client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
            yield from page["Items"]

    def set(self, items: Items, there: Items | None = None) -> None:
        """Make the table and the vault hold these items and no others. ``there``: what they hold, where it is known."""
        there = self.items() if there is None else there
        writes: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for key, item in items.items():
            if there.get(key) != item:
                writes[_table_of(key)].append({"PutRequest": {"Item": item}})
        for key in there.keys() - items:
            gone = {"PK": there[key]["PK"], "SK": there[key]["SK"]}
            writes[_table_of(key)].append({"DeleteRequest": {"Key": gone}})
        for name, requests in writes.items():
            for start in range(0, len(requests), _BATCH):
                self._client.batch_write_item(RequestItems={name: requests[start : start + _BATCH]})


def _table_of(key: Key) -> str:
    return VAULT_TABLE if key[0].startswith(in_vault("")) else TABLE


@contextmanager
def table(emulator: Emulator) -> Iterator[Table]:
    """The functions' table and vault in the emulator, empty at first; they are there for the time of the block."""
    client = emulator.client("dynamodb")
    create_table(client, TABLE)
    create_vault(client, VAULT_TABLE)
    yield Table(client)
    for name in (TABLE, VAULT_TABLE):
        client.delete_table(TableName=name)
