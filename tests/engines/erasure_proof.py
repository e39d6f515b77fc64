"""The proof of erasures: marked orders go through a pipeline, half of their people are erased, and it is searched.

How it works: orders by every door end in every way; the command line erases customers, and guests by their orders. Then
no mark of the erased may be anywhere but in the files that were dropped, and every mark of the others where it belongs.

Its limits are those of `tests.engines.searching`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from events import streams
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.operations.audit import balances, order_views, views
from handlers.operations.audit.evidence import Evidence
from handlers.table.event_store import EventStore
from infra.local.pipeline import Pipeline
from infra.local.runner.audit_input import read_table
from infra.names import DEMO_SHOP
from tests.builders import marked_orders
from tests.builders.commands import run_command
from tests.builders.marked_orders import MarkedOrder
from tests.builders.shops import Shop
from tests.engines.searching import Mark, search

DEAD_LETTERS = "dead-letter messages"


class Proof:
    """Marked orders in a pipeline.

    Args:
        pipeline: where they go through.
        shop: what hands in those that come over HTTP.
        count: how many there are.
        prefix: what their ids begin with.
        seconds: how long to wait for each stage.
    """

    def __init__(self, pipeline: Pipeline, shop: Shop, count: int, prefix: str, seconds: float) -> None:
        self._pipeline = pipeline
        self._shop = shop
        self._prefix = prefix
        self._seconds = seconds
        self._vault = pipeline.outputs["VaultTableName"]
        self._log = EventStore(pipeline.client("dynamodb"), pipeline.table_name)
        self.orders = marked_orders.orders(count, prefix)
        people = sorted({each.customer or each.own_id for each in self.orders})
        chosen = frozenset(people[::2])
        self.erased = [each for each in self.orders if (each.customer or each.own_id) in chosen]
        self.kept = [each for each in self.orders if each not in self.erased]

    def run(self) -> None:
        """Let the orders go through, until nothing more happens to them."""
        marked_orders.submit(self._pipeline, self._shop, self.orders, self._prefix)
        placed = [each for each in self.orders if each.placed]
        asked = [each for each in placed if each.way == "cancelled on request"]
        self._until(lambda: set(self._outcomes(asked)) <= {"OrderConfirmed"})
        marked_orders.request_cancellations(self._pipeline, asked)
        self._until(lambda: self._outcomes(placed) == [each.outcome for each in placed])
        self._until(lambda: len(self._letters()) == sum(each.way == "dead letter" for each in self.orders))
        self._until(self._has_report)

    def erase(self) -> list[str]:
        """Erase half of the people; returns what the command printed for each of them."""
        customers = sorted({each.customer for each in self.erased if each.customer})
        guests = [each.order_id for each in self.erased if each.customer is None]
        printed = [self._command("erase", "--customer", each) for each in customers]
        return printed + [self._command("erase", "--order", each) for each in guests]

    def search(self, *, archive: bool = False) -> dict[Mark, set[str]]:
        """Where marks are, but for the files that were dropped."""
        files, letters = (self._pipeline.outputs[f"{name}BucketName"] for name in ("Files", "DeadLetter"))
        places: dict[Mark, set[str]] = {}
        for mark, stores in search(self._pipeline, archive=archive).items():
            for store in stores:
                if store.startswith(tuple(f"bucket {files} {prefix}" for prefix in ("incoming/", "done/"))):
                    continue
                is_letter = store.startswith(f"bucket {letters} ")
                places.setdefault(mark, set()).add(DEAD_LETTERS if is_letter else store)
        return places

    def expected(
        self, orders: Iterable[MarkedOrder], dead_letters_of: Sequence[MarkedOrder] | None = None
    ) -> dict[Mark, set[str]]:
        """Where the marks of orders belong: in the vault, or in dead-letter messages, and nowhere else.

        Args:
            orders: those whose people are in the vault.
            dead_letters_of: those whose dead-letter messages are there; by default the same.
        """
        expected = {mark: {f"table {self._vault}"} for each in orders if each.placed for mark in each.marks}
        letters = [each for each in (dead_letters_of or orders) if not each.placed]
        return expected | {mark: {DEAD_LETTERS} for each in letters for mark in each.marks}

    def redrive(self) -> None:
        """Redrive every other dead-letter message: it fails again, and is there twice."""
        before = list(self._letters().values())
        again = before[::2]
        for message_id in again:
            self._command("redrive", message_id)
        self._until(lambda: len(self._letters()) == len(before) + len(again))

    def vaulted(self) -> list[Mapping[str, Any]]:
        """What is in the vault, as a backup would have it."""
        pages = self._pipeline.client("dynamodb").get_paginator("scan")
        return [item for page in pages.paginate(TableName=self._vault) for item in page["Items"]]

    def restore(self, backup: Iterable[Mapping[str, Any]]) -> None:
        """Put back into the vault what a backup has."""
        for item in backup:
            self._pipeline.client("dynamodb").put_item(TableName=self._vault, Item=item)

    def check_views(self) -> None:
        """The log says which of the orders are erased, and their views follow in a moment."""
        own = {each.order_id for each in self.orders}
        assert own & self._evidence().erased == {each.order_id for each in self.erased if each.placed}
        self._until(lambda: not own & {order_id for order_id, _ in order_views.differences(self._evidence())})

    def check_balances(self) -> None:
        """Money and stock balance, and every view is what the log folds to, in the whole pipeline."""
        self._until(lambda: not [*views.check(self._evidence()), *balances.check(self._evidence())])

    def _evidence(self) -> Evidence:
        return Evidence(read_table(self._pipeline))

    def _command(self, *arguments: str) -> str:
        done = run_command("--endpoint", self._pipeline.endpoint, *arguments)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def _outcomes(self, orders: Sequence[MarkedOrder]) -> list[str | None]:
        """The newest event of each order's own stream."""
        newest = [self._log.last(streams.order(each.order_id)) for each in orders]
        return [type(record.event).__name__ if record else None for record in newest]

    def _letters(self) -> dict[str, str]:
        """The dead-letter messages of these orders, open and redriven: the ids of the messages by their keys."""
        own = {each.detail["order_id"] for each in self.orders if each.way == "dead letter"}
        bucket = DeadLetterBucket(self._pipeline.client("s3"), self._pipeline.outputs["DeadLetterBucketName"])
        stored = bucket.read_all(version.key for page in bucket.versions() for version in page)
        return {key: message.message_id for key, message in stored if any(f'"{each}"' in message.body for each in own)}

    def _has_report(self) -> bool:
        bucket, prefix = self._pipeline.outputs["FilesBucketName"], f"reports/{DEMO_SHOP}/{self._prefix}.ndjson/"
        return "Contents" in self._pipeline.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)

    def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._seconds
        while not holds():
            assert time.monotonic() < deadline, "it takes too long"
            time.sleep(0.2)
