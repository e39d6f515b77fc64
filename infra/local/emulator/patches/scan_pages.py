"""Pages of parallel scans: for each page, the emulator sorts and hashes the whole table."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha1
from itertools import islice
from typing import Any

from ministack.services import dynamodb  # type: ignore[import-not-found]

Items = dict[str, Mapping[str, Any]]
"""A table's items, by partition and sort key."""


class _Segments:
    """The partitions of each segment of a table, in the order of a scan; what is new since the last time is added."""

    def __init__(self) -> None:
        self._hashes: dict[str, int] = {}
        self._items: Items = {}
        self._total = 0
        self._count = 0
        self._last: str | None = None
        self._partitions: dict[int, list[str]] = {}

    def of(self, items: Items, segment: int, total: int) -> Sequence[str]:
        """The partitions of a segment, sorted."""
        if not self._knows(items, total):
            self._items, self._total, self._count = items, total, 0
            self._partitions = {number: [] for number in range(total)}
        for partition in list(islice(items, self._count, None)):
            insort(self._partitions[self._hash(partition) % total], partition)
        self._count, self._last = len(items), next(reversed(items), None)
        return self._partitions[segment]

    def _knows(self, items: Items, total: int) -> bool:
        """Whether all that was there is there, in its place, so that what is new comes after it."""
        if items is not self._items or total != self._total or len(items) < self._count or not self._count:
            return False
        return next(islice(items, self._count - 1, None)) == self._last

    def _hash(self, partition: str) -> int:
        """The emulator's own, once for each partition."""
        known = self._hashes.get(partition)
        if known is None:
            known = self._hashes[partition] = int.from_bytes(sha1(partition.encode()).digest()[:4], "big")  # noqa: S324
        return known


def patch() -> None:
    """Let a page of a segment cost as much as its items, not as much as the table."""
    scan, segments = dynamodb._scan, _Segments()
    numbers = iter(range(2**63))

    def scan_page(data: dict[str, Any]) -> Any:
        table = dynamodb._tables.get(data.get("TableName"))
        if not table or "TotalSegments" not in data or "Segment" not in data or "IndexName" in data:
            return scan(data)
        partitions = segments.of(table["items"], int(data["Segment"]), int(data["TotalSegments"]))
        start = data.get("ExclusiveStartKey", {}).get(table["pk_name"], {}).get("S", "")
        after = islice(partitions, bisect_left(partitions, start), None)
        alone = f"{data['TableName']}.scan.{next(numbers)}"
        dynamodb._tables[alone] = {**table, "items": dict(_enough(table["items"], after))}
        try:
            return scan({**data, "TableName": alone})
        finally:
            del dynamodb._tables[alone]

    dynamodb._scan = scan_page


def _enough(items: Items, partitions: Iterator[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Partitions that hold more than a page: what the page begins after may be in the first of them."""
    size, first = 0, True
    for partition in partitions:
        held = items.get(partition, {})
        yield partition, held
        if size > dynamodb._DDB_PAGE_SIZE_BYTES:
            return
        if not first:
            size += sum(map(dynamodb._item_size_bytes, list(held.values())))
        first = False
