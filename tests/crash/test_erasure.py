"""An erasure disturbed at every call to AWS, and started again: the same is erased and recorded, once.

To be killed before a call is to be killed after the one before it; and before one that only reads, after it. What only
reads may fail in whatever way: it is read again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from handlers.functions.resources import event_store
from infra.local.emulator.process import Emulator
from tests.builders.environment import DEAD_LETTER_BUCKET, ERASURE_LEDGER
from tests.builders.erasing import confirm, dead_letter, erase, message, place, submitted
from tests.engines.in_process import Functions, functions
from tests.engines.table import Table, in_vault, table
from tests.engines.wire import Answer, Call, Fault, Killed, Trouble, stable

ERASED = ["demo.o1", "demo.o2"]
OPEN = message(submitted("o1"))
REDRIVEN = message({"order_id": "o2"}, "OrderCancellationRequested")
OF_OTHERS = (message(submitted("o9", customer="c2")), "{")
ENOUGH, SHORT = 300_000, 1_000
"""How many milliseconds a call has left."""
TROUBLES = (Trouble.KILLED_AFTER, Trouble.THROTTLED, Trouble.ANSWER_LOST)
RETRIED = {"Throttled", "Contended", "Unreachable"}


@dataclass(frozen=True)
class Left:
    """What an erasure leaves behind: items of the table and of the vault, the ledger, and dead-letter messages."""

    tables: frozenset[str]
    ledger: frozenset[str]
    dead_letters: frozenset[str]


class Erasing:
    """The function, and what it works on: two orders of a customer that have ended, and others' orders."""

    def __init__(self, emulator: Emulator, loaded: Functions, own: Table) -> None:
        self._s3 = emulator.client("s3")
        self._table = own
        self.functions = loaded
        place(loaded, *ERASED)
        place(loaded, "demo.other", customer="c2")
        confirm(event_store("saga"), *ERASED, "demo.other")
        self._items = own.items()

    def begin(self) -> None:
        """Start over."""
        self._table.set(self._items)
        for bucket in (DEAD_LETTER_BUCKET, ERASURE_LEDGER):
            for key in self._keys(bucket):
                self._s3.delete_object(Bucket=bucket, Key=key)
        dead_letter(REDRIVEN, redriven=True)
        for body in (OPEN, *OF_OTHERS):
            dead_letter(body)

    def in_the_vault(self) -> set[str]:
        """The partitions of the vault."""
        return {
            partition.removeprefix(in_vault("")) for partition, _ in self._table.items() if in_vault("") in partition
        }

    def left(self) -> Left:
        """What is left by now; when anything was recorded does not matter."""
        return Left(
            tables=frozenset(map(stable, self._table.items().values())),
            ledger=frozenset(stable(self._content(key) | {"decided_at": ""}) for key in self._keys(ERASURE_LEDGER)),
            dead_letters=frozenset(stable(self._content(key)["body"]) for key in self._keys(DEAD_LETTER_BUCKET)),
        )

    def run(self, tap: Fault) -> None:
        """Run an erasure with the tap on the wire, again where it fails as its state machine does."""
        try:
            with self.functions.wire.tapped(tap):
                self._again_while_it_fails()
        except Killed:
            self._again_while_it_fails()

    def _again_while_it_fails(self) -> None:
        while True:
            try:
                assert erase(self.functions, customer_id="demo.c1")["done"]
            except Exception as failure:
                if type(failure).__name__ not in RETRIED:
                    raise
            else:
                return

    def _keys(self, bucket: str) -> list[str]:
        return [found["Key"] for found in self._s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def _content(self, key: str) -> Any:
        bucket = DEAD_LETTER_BUCKET if key.endswith(".1.json") else ERASURE_LEDGER
        return json.loads(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.fixture(scope="module")
def erasing(emulator: Emulator) -> Iterator[Erasing]:
    for bucket in (DEAD_LETTER_BUCKET, ERASURE_LEDGER):
        emulator.client("s3").create_bucket(Bucket=bucket)
    with table(emulator) as own, functions(emulator) as loaded:
        loaded.remaining_ms = lambda: ENOUGH
        yield Erasing(emulator, loaded, own)


def test_an_erasure_disturbed_at_any_call_leaves_the_same_in_the_end(erasing: Erasing) -> None:
    erasing.begin()
    calls = Fault()
    erasing.run(calls)
    undisturbed = erasing.left()
    assert erasing.in_the_vault() == {"demo#c2", "demo.other"}
    assert len(undisturbed.ledger) == 3
    assert len(undisturbed.dead_letters) == 2

    for at, trouble in itertools.product(range(1, len(calls.calls) + 1), TROUBLES):
        call = calls.calls[at - 1]
        if (call.only_reads or call.operation.startswith("List")) and trouble is not Trouble.THROTTLED and at > 1:
            continue
        erasing.begin()
        erasing.run(Fault(at, trouble))
        assert erasing.left() == undisturbed, f"{trouble}: call {at}, {call.operation}"


def test_an_erasure_is_done_twice_as_once(erasing: Erasing) -> None:
    erasing.begin()
    erasing.run(Fault())
    once = erasing.left()
    erasing.run(Fault())
    assert erasing.left() == once


class PagesOfOne(Fault):
    """S3 lists versions one at a time."""

    def before(self, call: Call) -> Answer | None:
        if call.operation == "ListObjectVersions":
            cast("dict[str, Any]", call.parameters)["MaxKeys"] = 1
        return super().before(call)


@pytest.mark.parametrize("remaining_ms", [ENOUGH, SHORT])
def test_all_dead_letter_messages_are_looked_at_however_many_a_page_has(erasing: Erasing, remaining_ms: int) -> None:
    """moto loses its place where what a page ended with was deleted; the emulator keeps it, as AWS does."""
    erasing.begin()
    erasing.run(Fault())
    alone = erasing.left()
    erasing.begin()
    erasing.functions.remaining_ms = lambda: remaining_ms
    erasing.run(PagesOfOne())
    erasing.functions.remaining_ms = lambda: ENOUGH
    assert erasing.left() == alone
