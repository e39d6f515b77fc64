"""The table in memory does what moto's does, for the requests that projections make, and for those of the vault."""

import random
from typing import Any

import pytest

from handlers.table.event_store import EventStore
from tests.builders.environment import TABLE
from tests.builders.generated_log import run
from tests.builders.orders import EMAIL, line, order, placed
from tests.builders.recorded_events import image
from tests.builders.stores import items
from tests.builders.vault import payment_tokens, remember, vault, vaulted
from tests.engines.memory_table import Memory
from tests.engines.projecting import PROJECTIONS, STORE, projecting


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
    with projecting(run(6), page=7) as memory:
        pages = [
            page
            for segment in range(4)
            for page in STORE.client.get_paginator("scan").paginate(TableName=TABLE, Segment=segment, TotalSegments=4)
        ]
        found = [(item["PK"]["S"], item["SK"]["S"]) for page in pages for item in page["Items"]]
        assert max(len(page["Items"]) for page in pages) == 7
        assert sorted(found) == sorted(memory.items)


def test_the_vault_has_the_same_in_memory_as_in_moto(store: EventStore) -> None:
    orders: list[tuple[str, dict[str, Any]]] = [
        ("demo.o1", order("o1", line(description="A ring for Bo"))),
        ("demo.o2", order("o2", customer=None)),
        ("demo.o3", order("o3", customer={"email": EMAIL})),
    ]

    def work() -> list[Any]:
        read: list[Any] = []
        for order_id, submitted in orders:
            event = placed(order_id, *submitted["lines"], customer=submitted.get("customer"))
            for _ in range(2):
                read += [vault(store).read(event), vault(store).content_key(event), vault(store).email(event)]
                read.append(payment_tokens(store).read(event))
                if read[-1] is None:
                    remember(store, event, submitted)
            with pytest.raises(store.client.exceptions.TransactionCanceledException):
                remember(store, event, submitted)
        return read

    in_moto = work()
    there = {(item["PK"]["S"], item["SK"]["S"]) for item in vaulted(store)}
    with Memory().serving() as memory:
        assert work() == in_moto
        assert memory.items.keys() == there
