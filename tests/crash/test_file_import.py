"""A file's import disturbed at every call to AWS, and begun again: the same report, and each order sent once or again.

An order is sent again only under the message id it had, and only by the batch that was under way.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from handlers.files import importer
from handlers.files.dropped_file import FileVersion
from infra.local.emulator.process import Emulator
from tests.builders.environment import ORDER_QUEUE, OWN_QUEUE, TABLE
from tests.builders.messages import sqs
from tests.builders.orders import submitted_order
from tests.engines.in_process import Functions, functions
from tests.engines.table import table
from tests.engines.wire import Fault, Killed, Tap, Trouble

BUCKET = "crash-files"
KEY = "incoming/demo/day.ndjson"
BATCH = 3
VALID = ["a", "b", "c", "d", "e"]
LINES = [
    *(submitted_order(order_id) for order_id in ("a", "b")),
    submitted_order("negative", lines={"apple": -1}),
    *(submitted_order(order_id) for order_id in ("c", "a", "d")),
    submitted_order("negative"),
    submitted_order("e"),
]
ENOUGH, SHORT = 60_000, 1_000


@dataclass(frozen=True)
class Left:
    """What an import leaves behind; ``sent`` are the ids of messages, each as often as it was sent."""

    report: dict[str, Any]
    keys: list[str]
    markers: dict[str, int]
    sent: dict[str, list[str]]


class Importing:
    """The function, and what it works on."""

    def __init__(self, emulator: Emulator, loaded: Functions, queues: dict[str, str]) -> None:
        self._dynamodb = emulator.client("dynamodb")
        self._s3 = emulator.client("s3")
        self._sqs = emulator.client("sqs")
        self._queues = queues
        self.functions = loaded

    def dropped(self) -> str:
        """Drop the file, once more; returns the message that announces it."""
        content = "\n".join(map(json.dumps, LINES)).encode()
        version = self._s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)["VersionId"]
        return json.dumps({"detail": {"bucket": {"name": BUCKET}, "object": {"key": KEY, "version-id": version}}})

    def deliver(self, body: str, tap: Tap) -> None:
        """Deliver a message with the tap on the wire, then again while it fails, and all that it sends itself."""
        waiting = [body]
        try:
            with self.functions.wire.tapped(tap):
                self.go_on(waiting)
        except Killed:
            pass
        self.go_on(waiting)

    def go_on(self, waiting: list[str]) -> None:
        """Deliver these messages, again while they fail, and all that the function sends itself."""
        while waiting:
            if not self.functions.invoke("file_import", sqs(waiting[0]))["batchItemFailures"]:
                waiting.pop(0)
            waiting += self._drain("own")

    def left(self, body: str) -> Left:
        """What the import of that message has left by now."""
        dropped = FileVersion.named_in(body)
        found = [found["Key"] for found in self._s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        keys = [key.replace(dropped.version_id, "<version>") for key in found]
        report = json.loads(
            self._s3.get_object(Bucket=BUCKET, Key=f"reports/demo/day.ndjson/{dropped.version_id}.json")["Body"].read()
        )
        assert report.pop("version") == dropped.version_id
        assert report.pop("started_at") <= report.pop("finished_at")
        prefix = f"import#{dropped.import_id}#"
        asked = [{"PK": {"S": prefix + line["order_id"]}, "SK": {"S": "import"}} for line in LINES]
        unique = [key for number, key in enumerate(asked) if key not in asked[:number]]
        found = self._dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": unique}})["Responses"][TABLE]
        markers = {item["PK"]["S"].removeprefix(prefix): int(item["first_row"]["N"]) for item in found}
        sent: dict[str, list[str]] = {}
        for message in map(json.loads, self._drain("orders")):
            sent.setdefault(message["detail"]["order_id"], []).append(message["id"])
        return Left(report, keys, markers, sent)

    def _drain(self, queue: str) -> list[str]:
        bodies: list[str] = []
        while messages := self._sqs.receive_message(QueueUrl=self._queues[queue], MaxNumberOfMessages=10).get(
            "Messages"
        ):
            bodies += [message["Body"] for message in messages]
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queues[queue], Entries=handles)
        return bodies


@pytest.fixture(scope="module")
def importing(emulator: Emulator) -> Iterator[Importing]:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    queues = {
        name: emulator.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
        for name, queue in {"orders": ORDER_QUEUE, "own": OWN_QUEUE}.items()
    }
    with table(emulator), functions(emulator) as loaded, pytest.MonkeyPatch.context() as patched:
        patched.setattr(importer, "MAX_KEYS", BATCH)
        patched.setattr(importer, "BATCHES_PER_CHECKPOINT", 2)
        yield Importing(emulator, loaded, queues)


@pytest.mark.parametrize(
    ("times", "troubles"),
    [
        pytest.param([ENOUGH], [Trouble.KILLED_AFTER, Trouble.THROTTLED, Trouble.ANSWER_LOST], id="in one invocation"),
        pytest.param([ENOUGH, SHORT], [Trouble.KILLED_AFTER], id="in many"),
    ],
)
def test_an_import_disturbed_at_any_call_leaves_the_same_in_the_end(
    importing: Importing, times: list[int], troubles: list[Trouble]
) -> None:
    """To be killed before a call is to be killed after the one before it; and before one that only reads, after it."""

    def disturbed(tap: Fault) -> Left:
        clock = itertools.cycle(times)
        importing.functions.remaining_ms = lambda: next(clock)
        body = importing.dropped()
        importing.deliver(body, tap)
        return importing.left(body)

    calls = Fault()
    undisturbed = disturbed(calls)
    assert undisturbed.keys == ["done/demo/day.ndjson/<version>", "reports/demo/day.ndjson/<version>.json"]
    assert undisturbed.report["accepted"] == len(VALID)
    assert [rejection["order_id"] for rejection in undisturbed.report["rejected"]] == ["negative", "a", "negative"]
    assert undisturbed.markers == {"a": 1, "b": 2, "negative": 3, "c": 4, "d": 6, "e": 8}
    assert {order_id: len(ids) for order_id, ids in undisturbed.sent.items()} == dict.fromkeys(VALID, 1)

    for at, trouble in itertools.product(range(1, len(calls.calls) + 1), troubles):
        if trouble is Trouble.KILLED_AFTER and calls.calls[at - 1].only_reads and at > 1:
            continue
        left = disturbed(Fault(at, trouble))

        where = f"{trouble}: call {at}, {calls.calls[at - 1].operation}"
        assert (left.report, left.keys, left.markers) == (undisturbed.report, undisturbed.keys, undisturbed.markers), (
            where
        )
        assert left.sent.keys() == undisturbed.sent.keys(), where
        again = [order_id for order_id, ids in left.sent.items() if len(ids) > 1]
        assert len(again) <= BATCH, where
        assert all(len(set(ids)) == 1 for ids in left.sent.values()), where


def test_a_message_of_an_import_that_has_ended_does_nothing(importing: Importing) -> None:
    importing.functions.remaining_ms = lambda: ENOUGH
    body = importing.dropped()
    importing.deliver(body, Fault())
    before = importing.left(body)

    calls = Fault()
    importing.deliver(body, calls)
    assert [call.operation for call in calls.calls] == ["GetObject", "GetObject", "DeleteObject"]
    after = importing.left(body)
    assert (after.report, after.keys, after.markers, after.sent) == (before.report, before.keys, before.markers, {})


def test_two_deliveries_at_once_do_no_harm(importing: Importing) -> None:
    """One delivery runs to the end between any two calls of the other."""
    importing.functions.remaining_ms = lambda: ENOUGH
    body = importing.dropped()
    calls = Fault()
    importing.deliver(body, calls)
    alone = importing.left(body)

    class Overtaken(Fault):
        """At its call of that number, another delivery overtakes."""

        def before(self, call: Any) -> None:
            super().before(call)
            if len(self.calls) == self.overtaken_at:
                with importing.functions.wire.tapped(Fault()):
                    importing.go_on([body])

        overtaken_at = 0

    for at in range(1, len(calls.calls) + 1):
        body = importing.dropped()
        tap = Overtaken()
        tap.overtaken_at = at
        importing.deliver(body, tap)
        left = importing.left(body)
        assert (left.report, left.keys, left.markers) == (alone.report, alone.keys, alone.markers), at
        assert left.sent.keys() == alone.sent.keys()
        assert all(len(set(ids)) == 1 for ids in left.sent.values())
