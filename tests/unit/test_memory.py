"""The table in memory does what moto's does, for the requests that projections make."""

import random

from handlers.table.event_store import EventStore
from tests.builders.generated_log import PROJECTIONS, projecting, run
from tests.builders.samples import image, items
from tests.engines.memory_table import Memory


def test_projections_leave_the_same_in_memory_as_in_moto(store: EventStore) -> None:
    log = run(6, seed=3)[:24]
    arriving = [*log, *log[::3]]
    random.Random(1).shuffle(arriving)
    for each in log:
        store.client.put_item(TableName=store.table, Item=image(each))

    def deliver() -> None:
        for start in range(0, len(arriving), 16):
            for projection in PROJECTIONS.values():
                assert projection.apply("1", arriving[start : start + 16]) == {}

    deliver()
    there = {(item["PK"]["S"], item["SK"]["S"]): item for item in items(store)}
    with projecting(log) as memory:
        deliver()
        assert memory.items == there


def test_pages_of_every_segment_are_the_whole_table() -> None:
    log = run(6)
    with projecting(log, page=7) as memory:
        assert len(memory.items) > 7 * 4
        assert found(memory) == sorted(memory.items)


def found(memory: Memory) -> list[tuple[str, str]]:
    """The keys of all items, as scans of four segments have them."""
    keys = []
    for segment in range(4):
        start = None
        while True:
            page = memory._Scan(Segment=segment, TotalSegments=4, ExclusiveStartKey=start)
            keys += [(item["PK"]["S"], item["SK"]["S"]) for item in page["Items"]]
            start = page.get("LastEvaluatedKey")
            if start is None:
                break
    return sorted(keys)
