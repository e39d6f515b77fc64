"""The import of a dropped file: what is sent, what is reported, and that it goes on whatever AWS does meanwhile."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from events.envelope import Actor
from events.ordering import OrderPlaced
from handlers import retry_policy
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.files import importer, progress
from handlers.files.batch import BatchDecision, Candidate, decide_batch
from handlers.files.dropped_file import FileVersion, Gone, ObjectStream
from handlers.files.import_requests import FileImports
from handlers.files.progress import Rejection
from handlers.files.reader import BEGINNING, Reason
from handlers.files.submitting import Markers, OrderQueue
from handlers.functions.main import file_import as file_import_function
from handlers.functions.main import order_intake as order_intake_function
from handlers.intake.parties import Parties
from handlers.intake.requests import IntakeMessage, sending_shop
from handlers.ordering import submission
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from tests.builders.csv_rows import HEADER, row
from tests.builders.environment import ENVIRONMENT, TABLE
from tests.builders.messages import CONTEXT, failed, sqs
from tests.builders.orders import order, valid
from tests.builders.stores import log
from tests.builders.vault import payment_tokens, vault

BUCKET = "files"
WRONG = (Reason("wrong", 1),)


class World:
    """The bucket, the queues and the table, as moto imitates them."""

    def __init__(self) -> None:
        self.s3, self.sqs = aws.s3(), aws.sqs()
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for name in ("file-import", "order-intake"):
            self.sqs.create_queue(QueueName=name)

    def drop(self, path: str, content: str) -> str:
        """Drop a file; returns the message that names it."""
        key = f"incoming/{path}"
        version = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content.encode())["VersionId"]
        return json.dumps({"detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "version-id": version}}})

    def deliver(
        self,
        body: str,
        remaining_ms: Callable[[], int] = lambda: 60_000,
        handler: Callable[..., Any] = file_import_function.handler,
    ) -> int:
        """Deliver a message and all that the function sends itself; returns how many deliveries it took."""
        context = type("Context", (), {**vars(CONTEXT), "get_remaining_time_in_millis": lambda _: remaining_ms()})()
        waiting, deliveries = [body], 0
        while waiting:
            record = {"messageId": "m", "body": waiting.pop(), "messageAttributes": {}, "eventSource": "aws:sqs"}
            assert handler({"Records": [record]}, context) == {"batchItemFailures": []}
            waiting += self.received("OWN_QUEUE_URL")
            deliveries += 1
        return deliveries

    def received(self, queue: str) -> list[str]:
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=ENVIRONMENT[queue], MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies

    def sent(self) -> list[str]:
        """The ids of the orders that were sent, in order."""
        return [json.loads(body)["detail"]["order_id"] for body in self.received("ORDER_QUEUE_URL")]

    def keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def results(self) -> list[str]:
        """The keys of all that is left, without the versions in them."""
        named = (key.rpartition("/") for key in self.keys())
        return [path + name[len(name.partition(".")[0]) :] for path, _, name in named]

    def report(self, path: str) -> dict[str, Any]:
        """The latest report of a file of that path."""
        reports = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"reports/{path}/")["Contents"]
        key = max(reports, key=lambda report: report["LastModified"])["Key"]
        content: dict[str, Any] = json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        assert key == f"reports/{path}/{content['version']}.json"
        return content


@pytest.fixture
def world(store: EventStore) -> Iterator[World]:
    with mock_aws(), patch("time.sleep"):
        yield World()


def candidate(order_id: str | None, row: int, *reasons: Reason) -> Candidate:
    return Candidate(order_id, (row, row), reasons, f"{order_id}@{row}", BEGINNING)


def test_each_order_is_sent_once_and_one_that_returns_is_rejected_with_both_rows() -> None:
    batch = [candidate("a", 2), candidate("b", 3, *WRONG), candidate("a", 4), candidate("b", 5), candidate("c", 6)]
    done = decide_batch(batch, {"c": 1})
    assert (done.bodies, done.accepted, done.first_rows) == (["a@2"], 1, {"a": 2, "b": 3})
    assert [(each.order_id, each.reasons) for each in done.rejections] == [
        ("b", WRONG),
        ("a", (Reason("returns to the order that began in row 2", 4),)),
        ("b", (Reason("returns to the order that began in row 3", 5),)),
        ("c", (Reason("returns to the order that began in row 1", 6),)),
    ]


def test_an_order_without_a_usable_id_is_rejected_wherever_it_is() -> None:
    done = decide_batch([candidate(order_id, 2, *WRONG) for order_id in (None, "", "?", "x" * 48, None)], {})
    assert (done.first_rows, [each.reasons for each in done.rejections]) == ({}, [WRONG] * 5)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12),
    st.lists(st.integers(1, 3), min_size=12, max_size=12),
    st.integers(0, 11),
)
def test_whatever_the_batches_and_the_crash_the_same_is_accepted_and_rejected(
    content: list[tuple[str, bool]], sizes: list[int], crash: int
) -> None:
    orders = [candidate(each, number, *(() if valid else WRONG)) for number, (each, valid) in enumerate(content, 2)]

    def run(sizes: list[int], marked: dict[str, int]) -> BatchDecision:
        whole, left = BatchDecision(), list(orders)
        for size in sizes:
            batch, left = left[:size], left[size:]
            done = decide_batch(batch, marked)
            marked |= done.first_rows
            whole.bodies += done.bodies
            whole.rejections += done.rejections
            whole.accepted += done.accepted
        return whole

    once = run([12], {})
    marked: dict[str, int] = {}
    before = run(sizes[:crash], marked)
    after = run(sizes, marked)
    assert (after.accepted, after.rejections) == (once.accepted, once.rejections)
    assert before.bodies + after.bodies == once.bodies


def test_a_file_comes_out_in_its_report_and_is_moved(world: World) -> None:
    content = HEADER + row("1") + row("1") + row("2", quantity="-1") + row("3") + row("1")
    body = world.drop("demo/uci/day.csv", content)
    assert world.deliver(body) == 1
    report = world.report("demo/uci/day.csv")
    assert report.pop("started_at") <= report.pop("finished_at")
    assert report == {
        "file": "incoming/demo/uci/day.csv",
        "version": json.loads(body)["detail"]["object"]["version-id"],
        "rows": 5,
        "accepted": 2,
        "rejected_count": 2,
        "rejected": [
            {
                "order_id": "2",
                "rows": [4, 4],
                "reasons": [{"message": "Input should be greater than 0", "row": 4, "field": "quantity"}],
                "reason_count": 1,
            },
            {
                "order_id": "1",
                "rows": [6, 6],
                "reasons": [{"message": "returns to the order that began in row 2", "row": 6, "field": ""}],
                "reason_count": 1,
            },
        ],
        "error": None,
    }
    assert world.results() == ["done/demo/uci/day.csv", "reports/demo/uci/day.csv.json"]
    assert world.s3.get_object(Bucket=BUCKET, Key=world.keys()[0])["Body"].read().decode() == content
    assert world.sent() == ["1", "3"]


def test_what_is_sent_is_what_order_intake_takes(world: World, store: EventStore) -> None:
    awkward = order("o1", payment_token="a\ufffe\uffff\x00é\U0001f6d2")
    world.deliver(world.drop("demo/day.ndjson", json.dumps(awkward)))
    [body] = world.received("ORDER_QUEUE_URL")
    assert not {"\ufffe", "\uffff", "\x00"} & set(body)
    message = IntakeMessage.model_validate_json(body)
    assert (message.detail, message.folder) == (awkward, "demo")
    for _ in range(2):
        assert failed(order_intake_function.handler(sqs(body), CONTEXT)) == []
    [record] = log(store)
    assert isinstance(record.event, OrderPlaced)
    key = vault(store).content_key(record.event)
    assert key
    assert record.event == submission.placed("demo", valid(awkward), key)
    assert payment_tokens(store).read(record.event) == awkward["payment_token"]
    assert record.metadata.actor == Actor(door="file", principal="demo/demo")
    assert record.metadata.causation_id == message.id


def test_a_large_file_takes_several_invocations_and_each_continues_where_the_last_one_stopped(world: World) -> None:
    content = HEADER + "".join(row(str(number)) for number in range(7)) + row("3")
    with patch.object(importer, "MAX_KEYS", 2):
        assert world.deliver(world.drop("demo/uci/a.csv", content), lambda: importer.STOP_MS - 1) == 5
    assert world.sent() == [str(number) for number in range(7)]
    report = world.report("demo/uci/a.csv")
    assert (report["rows"], report["accepted"], report["rejected_count"]) == (8, 7, 1)
    assert world.results() == ["done/demo/uci/a.csv", "reports/demo/uci/a.csv.json"]


def test_what_may_take_long_at_the_end_is_left_to_an_invocation_of_its_own(world: World) -> None:
    body = world.drop("demo/uci/a.csv", HEADER + row("1"))
    assert world.deliver(body, lambda: importer.FINISH_MS - 1) == 2
    assert (world.sent(), world.report("demo/uci/a.csv")["accepted"]) == (["1"], 1)


def test_one_cell_that_is_no_price_rejects_its_order_and_the_others_are_sent(world: World) -> None:
    content = HEADER + row("1") + row("2", price="1e999999") + row("3")
    assert world.deliver(world.drop("demo/uci/a.csv", content)) == 1
    assert world.sent() == ["1", "3"]
    report = world.report("demo/uci/a.csv")
    [rejection] = report["rejected"]
    assert (report["accepted"], report["rejected_count"], report["error"]) == (2, 1, None)
    message = "UnitPrice is '1e999999': write it in plain digits, as in 12.50"
    assert rejection["order_id"] == "2"
    assert rejection["reasons"] == [{"message": message, "row": 3, "field": "unit_price"}]


@pytest.mark.parametrize(
    ("path", "content", "error"),
    [
        ("demo/acme/a.csv", HEADER, "there is no profile 'acme'; there is: uci"),
        (
            "demo/a.csv",
            HEADER,
            "a CSV file goes into the folder of its profile, incoming/<shop>/<profile>/; there is: uci",
        ),
        ("demo/uci/a.xlsx", "PK", "a file of orders ends in .csv or .ndjson"),
        ("demo/uci/a", "PK", "a file of orders ends in .csv or .ndjson"),
        ("demo/uci/a.csv", "", "the file is empty"),
        ("demo/uci/a.csv", HEADER, "there is no line in it"),
        ("demo/a.ndjson", "", "there is no order in it"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_and_moved(world: World, path: str, content: str, error: str) -> None:
    world.deliver(world.drop(path, content))
    report = world.report(path)
    assert (report["error"], report["rows"], report["accepted"], report["rejected"]) == (error, 0, 0, [])
    assert world.results() == [f"done/{path}", f"reports/{path}.json"]


@pytest.mark.parametrize("path", ["acme/uci/a.csv", "uci/a.csv", "Demo/uci/a.csv", "a.csv", "/a.csv"])
def test_a_file_in_a_folder_that_is_nobodys_is_reported_and_moved_and_none_of_it_is_sent(
    world: World, path: str
) -> None:
    assert world.deliver(world.drop(path, HEADER + row("1"))) == 1
    assert world.sent() == []
    report = world.report(path)
    assert (report["rows"], report["accepted"], report["rejected_count"]) == (0, 0, 0)
    assert report["error"] == f"a file goes into the folder of its shop, incoming/<shop>/; incoming/{path} is in none"
    assert world.results() == [f"done/{path}", f"reports/{path}.json"]


def test_of_two_shops_that_drop_the_same_file_each_has_its_own_orders_and_report(world: World) -> None:
    """The orders have the same ids, and one shop's folder is called like the other shop."""
    folders = {"acme": "acme-files", "bloom": "acme"}
    parties = Parties(
        shops=tuple(folders), sources={}, clients={}, claims={}, folders={name: shop for shop, name in folders.items()}
    )
    imports = FileImports(
        dynamodb=aws.dynamodb(),
        s3=world.s3,
        sqs=world.sqs,
        table=TABLE,
        own_queue=ENVIRONMENT["OWN_QUEUE_URL"],
        order_queue=ENVIRONMENT["ORDER_QUEUE_URL"],
        parties=parties,
        dead_letters=DeadLetterQueue(lambda: world.sqs, ENVIRONMENT["DEAD_LETTER_QUEUE_URL"]),
    )
    for shop, folder in folders.items():
        wrong = "x" if shop == "acme" else "1"
        content = HEADER + row("1") + row("2", quantity=wrong)
        world.deliver(world.drop(f"{folder}/uci/a.csv", content), handler=imports.handle)
    messages = [IntakeMessage.model_validate_json(body) for body in world.received("ORDER_QUEUE_URL")]
    sent = [(sending_shop(message, parties), message.detail["order_id"]) for message in messages]
    assert sent == [("acme", "1"), ("bloom", "1"), ("bloom", "2")]
    reports = {shop: world.report(f"{folder}/uci/a.csv") for shop, folder in folders.items()}
    assert {shop: (report["accepted"], report["rejected_count"]) for shop, report in reports.items()} == {
        "acme": (1, 1),
        "bloom": (2, 0),
    }


@pytest.mark.parametrize(
    ("key", "folder", "inside"),
    [
        ("incoming/demo/a.ndjson", "demo", "a.ndjson"),
        ("incoming/demo/uci/a.csv", "demo", "uci/a.csv"),
        ("incoming/demo/demo/a.csv", "demo", "demo/a.csv"),
        ("incoming/a.csv", "", "a.csv"),
    ],
)
def test_the_first_folder_says_whose_a_file_is(key: str, folder: str, inside: str) -> None:
    version = FileVersion("files", key, "1")
    assert (version.folder, version.path_in_folder) == (folder, inside)


def test_a_file_that_breaks_is_imported_up_to_there_but_for_the_order_that_it_breaks_in(world: World) -> None:
    world.deliver(world.drop("demo/uci/a.csv", HEADER + row("1") + row("2") + row("3") + '3,"'))
    assert world.sent() == ["1", "2"]
    report = world.report("demo/uci/a.csv")
    assert (report["accepted"], report["error"]) == (2, "row 5 has a quote that is not closed")


def test_a_report_lists_the_first_rejections_and_reasons_and_counts_them_all(world: World) -> None:
    with patch.object(progress, "MAX_LISTED", 2), patch.object(progress, "MAX_REASONS", 3):
        one, *others = (row(order_id, quantity="x") for order_id in "123")
        world.deliver(world.drop("demo/uci/a.csv", HEADER + one * 5 + "".join(others)))
    report = world.report("demo/uci/a.csv")
    assert report["rejected_count"] == 3
    assert [(each["order_id"], len(each["reasons"]), each["reason_count"]) for each in report["rejected"]] == [
        ("1", 3, 5),
        ("2", 1, 1),
    ]


def test_a_file_of_the_same_name_is_a_file_of_its_own(world: World) -> None:
    first, second = (world.drop("demo/uci/a.csv", HEADER + row(order_id)) for order_id in "12")
    world.deliver(second)
    assert world.report("demo/uci/a.csv")["accepted"] == 1
    world.deliver(first)
    assert world.sent() == ["2", "1"]
    assert world.results() == ["done/demo/uci/a.csv"] * 2 + ["reports/demo/uci/a.csv.json"] * 2


@pytest.mark.parametrize("name", ["a" * 1000, "é" * 500])
def test_a_key_as_long_as_s3_takes_gets_its_report(world: World, name: str) -> None:
    key = f"incoming/demo/{name}"
    path = key.encode()[: 1024 - len(".ndjson")].decode(errors="ignore").removeprefix("incoming/") + ".ndjson"
    world.deliver(world.drop(path, ""))
    done, report = world.keys()
    assert done.startswith(f"done/{path[:400]}")
    assert report.endswith(".json")
    assert max(len(done.encode()), len(report.encode())) <= 1024


def test_a_folder_is_no_file_and_a_message_that_names_none_is_delivered_again(world: World) -> None:
    world.deliver(world.drop("demo/uci/", ""))
    assert world.keys() == ["incoming/demo/uci/"]
    record = {"messageId": "m", "body": "{}", "attributes": {}, "eventSource": "aws:sqs"}
    assert file_import_function.handler({"Records": [record]}, CONTEXT) == {
        "batchItemFailures": [{"itemIdentifier": "m"}]
    }


def test_markers_expire_and_are_read_and_written_until_none_is_left(world: World) -> None:
    client = aws.dynamodb()
    markers = Markers(client, TABLE, "i")
    real_get, real_put = client.batch_get_item, client.batch_write_item
    refusals = 0

    def halves(call: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def half(RequestItems: dict[str, Any]) -> Any:  # noqa: N803
            nonlocal refusals
            refusals += 1
            if refusals % 3 == 0:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "Batch")
            wanted = RequestItems[TABLE]
            many = wanted["Keys"] if kind == "UnprocessedKeys" else wanted
            taken, left = many[: len(many) // 2 + 1], many[len(many) // 2 + 1 :]
            answer = call(RequestItems={TABLE: {**wanted, "Keys": taken} if kind == "UnprocessedKeys" else taken})
            answer[kind] = {TABLE: {"Keys": left} if kind == "UnprocessedKeys" else left} if left else {}
            return answer

        return half

    rows = {f"o{number}": number for number in range(60)}
    with (
        patch.object(client, "batch_get_item", halves(real_get, "UnprocessedKeys")),
        patch.object(client, "batch_write_item", halves(real_put, "UnprocessedItems")),
    ):
        markers.put(rows)
        assert markers.first_rows([*rows, "other"]) == rows
    assert Markers(client, TABLE, "j").first_rows(rows) == {}
    item = client.get_item(TableName=TABLE, Key={"PK": {"S": "import#i#o1"}, "SK": {"S": "import"}})["Item"]
    assert item.keys() == {"PK", "SK", "first_row", "expires_at"}


def test_messages_go_in_batches_that_the_queue_accepts_and_the_failed_ones_again() -> None:
    calls: list[list[str]] = []

    class Queue:
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
            calls.append([entry["MessageBody"] for entry in Entries])
            return {"Failed": [{"Id": Entries[-1]["Id"]}]} if len(Entries) > 2 else {}

    client: Any = Queue()
    large = ["é" * 60_000, "x" * 100_000, "y" * 100_000]
    with patch("time.sleep"):
        OrderQueue(client, "url").send([*"abcdefghijk", *large])
    assert calls == [list("abcdefghij"), ["j"], ["k", *large[:2]], [large[1]], [large[2]]]


def test_what_is_never_accepted_fails_the_invocation() -> None:
    with patch("time.sleep"), pytest.raises(retry_policy.NotTaken, match="1 items"):
        retry_policy.until_taken(lambda items: items[:1], [1, 2, 3])


class Breaking:
    """An object whose connection breaks after every so many bytes."""

    def __init__(self, content: bytes, after: int) -> None:
        self.content, self.after, self.opened = content, after, 0

    def get_object(self, Range: str, **_: str) -> dict[str, Any]:  # noqa: N803
        self.opened += 1
        start = int(Range.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.content):
            raise ClientError({"Error": {"Code": "InvalidRange"}}, "GetObject")
        body = io.BytesIO(self.content[start : start + self.after])
        return {"Body": StreamingBody(body, content_length=len(self.content) - start)}


def test_a_connection_that_breaks_is_opened_again_where_it_broke() -> None:
    client: Any = Breaking(bytes(range(100)), after=30)
    stream = ObjectStream(client, FileVersion("b", "k", "v"), 5)
    pieces = list(iter(lambda: stream.read(20), b""))
    assert b"".join(pieces) == bytes(range(5, 100))


def test_a_connection_that_breaks_at_once_again_and_again_fails_the_invocation() -> None:
    client: Any = Breaking(b"content", after=0)
    stream = ObjectStream(client, FileVersion("b", "k", "v"), 0)
    with pytest.raises(IncompleteReadError):
        stream.read(5)
    assert client.opened == 3


def test_an_object_that_is_gone_is_not_one_that_cannot_be_read() -> None:
    class Refusing:
        def __init__(self, failure: Exception) -> None:
            self.failure = failure

        def get_object(self, **_: str) -> Any:
            raise self.failure

    def opening(failure: Exception) -> None:
        client: Any = Refusing(failure)
        ObjectStream(client, FileVersion("b", "k", "v"), 0)

    with pytest.raises(Gone):
        opening(ClientError({"Error": {"Code": "NoSuchVersion"}}, "GetObject"))
    with pytest.raises(ClientError):
        opening(ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"))
    with pytest.raises(ReadTimeoutError):
        opening(ReadTimeoutError(endpoint_url="s3"))


def test_a_rejection_keeps_the_first_reasons() -> None:
    reasons = [Reason(str(number)) for number in range(12)]
    kept = Rejection.of("a", (1, 2), reasons)
    assert (list(kept.reasons), kept.reason_count) == (reasons[:10], 12)
