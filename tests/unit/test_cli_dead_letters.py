"""Dead-letter messages on the command line: showing them, and sending them back to their queues."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import Result

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import DeadLetterMessage, Failure, redriven
from handlers.runtime import aws
from infra.cli.connection import Connection
from infra.signals import Ended
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS

BUCKET = "dead-letter-bucket"
OPERATOR = "arn:aws:sts::123456789012:user/moto"
"""Who runs the commands, as moto says."""
FAILURE = Failure(error="Throttled", reasons="busy", attempts=5, sent_at=datetime(2026, 1, 31, 9, tzinfo=UTC))


def message(
    message_id: str, source: str = "order_intake", error: str = "Throttled", day: int = 1, **more: Any
) -> DeadLetterMessage:
    content: dict[str, Any] = {
        **{"message_id": message_id, "source": source, "body": "{}", "attributes": {}},
        **{"error": error, "reasons": "it broke", "attempts": 5},
        "sent_at": datetime(2026, 2, day, 12, 30, 15, tzinfo=UTC),
    }
    return DeadLetterMessage(**content | more)


OLD, NEW = message("old", day=1), message("new", error="ClientError", day=3)
VIEW = message("view", "order_view", day=2, body="whole", attributes={"RULE_ARN": "arn"}, earlier_failures=(FAILURE,))
START = message("start", "saga_start", body='{"order_id": "demo.o1"}')
EVENT = message("event", "cancellation_start", body='{"detail": {"data": {"order_id": "demo.o2"}}}')
LARGE = message("large", "outbox", body='{"stream": "shipment#demo.o1", "version": 1}')
STRANGE = message("strange", "outbox", body="not JSON")


@pytest.fixture(autouse=True)
def slept(environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long a command slept, on a clock that moves for nothing else; there is a bucket, and two queues."""
    waited: list[float] = []
    monkeypatch.setattr("handlers.operations.redrive.time.monotonic", lambda: sum(waited))
    monkeypatch.setattr("handlers.operations.redrive.time.sleep", waited.append)
    with mock_aws():
        aws.s3().create_bucket(Bucket=BUCKET)
        urls = {name: aws.sqs().create_queue(QueueName=name)["QueueUrl"] for name in ("intake", "view")}
        outputs = {
            **OUTPUTS,
            "DeadLetterBucketName": BUCKET,
            "OrderIntakeQueueUrl": urls["intake"],
            "OrderViewQueueUrl": urls["view"],
        }
        monkeypatch.setattr(Connection, "outputs", outputs)
        yield waited


def store(*found: DeadLetterMessage) -> None:
    for each in found:
        aws.s3().put_object(Bucket=BUCKET, Key=each.key, Body=each.model_dump_json().encode())


def ids(prefix: str) -> set[str]:
    """The ids of the messages below a prefix."""
    listed = aws.s3().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {found["Key"].rpartition("/")[2].partition(".")[0] for found in listed}


def messages(name: str) -> list[tuple[str, dict[str, str]]]:
    """Body and attributes of the messages in a queue."""
    url = aws.sqs().get_queue_url(QueueName=name)["QueueUrl"]
    found = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return [
        (each["Body"], {name: attribute["StringValue"] for name, attribute in each["MessageAttributes"].items()})
        for each in found.get("Messages", [])
    ]


def rows(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


# Showing


def test_open_messages_are_listed_day_by_day() -> None:
    store(NEW, VIEW, OLD)
    assert rows(run_command("dead-letters")) == [
        ["2026-02-01 12:30:15Z", "order_intake", "Throttled", "5", "old"],
        ["2026-02-02 12:30:15Z", "order_view", "Throttled", "5", "view"],
        ["2026-02-03 12:30:15Z", "order_intake", "ClientError", "5", "new"],
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--source", "order_intake"], ["old", "new"]),
        (["--error", "Throttled"], ["old", "view"]),
        (["--source", "order_intake", "--error", "Throttled"], ["old"]),
        (["--since", "2026-02-02"], ["view", "new"]),
    ],
)
def test_messages_are_listed_by_source_error_and_day(arguments: list[str], found: list[str]) -> None:
    store(OLD, NEW, VIEW)
    assert [row[-1] for row in rows(run_command("dead-letters", *arguments))] == found


def test_where_there_is_no_message_that_is_printed() -> None:
    for command in (["dead-letters"], ["redrive", "--all"]):
        result = run_command(*command)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "there are no dead-letter messages\n")


@pytest.mark.parametrize(
    "command",
    [
        ["dead-letters", "--source", "intake"],
        ["dead-letters", "--error", "Refusal"],
        ["dead-letters", "--since", "2026-02-03"],
        ["redrive", "--source", "intake"],
    ],
)
def test_where_there_are_others_it_is_not_denied(command: list[str]) -> None:
    store(OLD)
    result = run_command(*command)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "there are no such dead-letter messages\n")


def test_a_message_is_shown_whole_with_its_earlier_failures() -> None:
    store(VIEW)
    assert rows(run_command("dead-letters", "view")) == [
        ["message", "view"],
        ["source", "order_view"],
        ["failure 1", "2026-01-31 09:00:00Z, Throttled after 5 attempts"],
        ["failure 1", "busy"],
        ["failure 2", "2026-02-02 12:30:15Z, Throttled after 5 attempts"],
        ["failure 2", "it broke"],
        ["RULE_ARN", "arn"],
        ["body", "whole"],
    ]


def test_a_redriven_message_is_no_longer_listed_but_shown() -> None:
    store(OLD)
    DeadLetterBucket(aws.s3(), BUCKET).mark_redriven(OLD.key, OLD, datetime(2026, 3, 1, tzinfo=UTC))
    assert run_command("dead-letters").stdout == ""
    assert ["failure 1", "redriven 2026-03-01 00:00:00Z"] in rows(run_command("dead-letters", "old"))
    assert run_command("redrive", "old").stderr == "message old was redriven, and has not failed again\n"


# Redriving


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["old"], {"old"}),
        (["--source", "order_intake"], {"old", "new"}),
        (["--error", "Throttled"], {"old", "view"}),
        (["--all"], {"old", "new", "view"}),
    ],
)
def test_messages_are_sent_back_to_their_queues_and_marked(arguments: list[str], sent: set[str]) -> None:
    store(OLD, NEW, VIEW)
    done = run_command("redrive", *arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{len(sent)} of {len(sent)} redriven\n", "")
    assert (ids("redriven/"), ids("open/")) == (sent, {"old", "new", "view"} - sent)
    back = {"intake": messages("intake"), "view": messages("view")}
    assert {carried["message_id"] for name in back for _, carried in back[name]} == sent
    for body, carried in back["view"]:
        assert body == "whole"
        assert carried == {"message_id": "view", "redriven_from": VIEW.key, "redriven_by": OPERATOR}
    assert {carried["redriven_by"] for name in back for _, carried in back[name]} == {OPERATOR}
    marked = DeadLetterBucket(aws.s3(), BUCKET).read(redriven(OLD.key))
    assert marked is None or marked.redriven_at is not None


def test_messages_are_sent_at_a_bounded_rate_and_their_number_is_printed(slept: list[float]) -> None:
    store(*(message(f"l{number}") for number in range(9)))
    done = run_command("redrive", "--all", "--rate", "0.8")
    assert (done.stdout, done.stderr) == ("9 of 9 redriven\n", "6 of 9\n")
    assert sum(slept) == pytest.approx(8 / 0.8)


def test_where_nobody_can_be_named_nothing_is_redriven(monkeypatch: pytest.MonkeyPatch) -> None:
    store(OLD)
    client = Connection.client
    denied = ClientError({"Error": {"Code": "ExpiredToken", "Message": "log in again"}}, "GetCallerIdentity")

    class Denying:
        def get_caller_identity(self) -> None:
            raise denied

    monkeypatch.setattr(Connection, "client", lambda self, name: Denying() if name == "sts" else client(self, name))
    result = run_command("redrive", "--all")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "AWS refused GetCallerIdentity: ExpiredToken: log in again\n"
    assert (ids("open/"), messages("intake")) == ({"old"}, [])


def test_killed_before_a_message_is_marked_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store(OLD)
    with monkeypatch.context() as killed:
        killed.setattr(DeadLetterBucket, "mark_redriven", interrupted)
        assert run_command("redrive", "--all").exit_code == 130
    assert ids("open/") == {"old"}
    assert run_command("redrive", "--all").exit_code == 0
    assert [carried["message_id"] for _, carried in messages("intake")] == ["old", "old"]
    assert ids("open/") == set()


def interrupted(*_: object) -> None:
    raise Ended(signal.SIGINT)


def test_a_message_that_cannot_be_redriven_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    store(OLD, VIEW)
    aws.sqs().delete_queue(QueueUrl=aws.sqs().get_queue_url(QueueName="intake")["QueueUrl"])
    done = run_command("redrive", "--all")
    assert (done.exit_code, done.stdout) == (1, "1 of 2 redriven\n")
    assert done.stderr.startswith("old could not be redriven: AWS refused SendMessage: ")
    assert ids("open/") == {"old"}


def test_a_bug_is_not_explained_as_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    store(OLD)
    monkeypatch.setattr(DeadLetterBucket, "mark_redriven", lambda *_: dict[str, str]()["bug"])
    assert isinstance(run_command("redrive", "--all").exception, KeyError)


def test_resolved_messages_are_marked_and_not_sent() -> None:
    store(OLD, LARGE)
    done = run_command("redrive", "--all", "--resolved")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "2 of 2 marked as resolved\n", "")
    assert (ids("redriven/"), ids("open/")) == ({"old", "large"}, set())
    assert messages("intake") == []


@pytest.mark.parametrize(
    ("stored", "instead"),
    [
        (START, "pipeline resume demo.o1"),
        (EVENT, "pipeline resume demo.o2"),
        (LARGE, "pipeline republish 'shipment#demo.o1'"),
        (STRANGE, "see `pipeline dead-letters strange`"),
    ],
)
def test_where_there_is_no_queue_the_command_is_named(stored: DeadLetterMessage, instead: str) -> None:
    store(stored)
    done = run_command("redrive", stored.message_id)
    assert (done.exit_code, done.stdout) == (1, "0 of 1 redriven\n")
    assert done.stderr == f"{stored.message_id} came from no queue: {instead}\n"
    assert ids("open/") == {stored.message_id}


@pytest.mark.parametrize(
    ("arguments", "status", "wrong"),
    [
        (["redrive"], 2, "say which messages"),
        (["redrive", "old", "--all"], 2, "say which messages"),
        (["redrive", "--source", "order_intake", "--all"], 2, "say which messages"),
        (["redrive", "unknown"], 1, "there is no dead-letter message unknown"),
        (["dead-letters", "unknown"], 1, "there is no dead-letter message unknown"),
        (["dead-letters", "two words"], 2, "'two words' is no message id"),
        (["dead-letters", "old", "--source", "order_intake"], 2, "an id names the message"),
    ],
)
def test_what_cannot_be_done_is_explained_in_a_line(arguments: list[str], status: int, wrong: str) -> None:
    store(OLD)
    result = run_command(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (status, "", 1)
    assert result.stderr.startswith(wrong)
    assert ids("open/") == {"old"}


def test_other_trouble_with_the_bucket_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")

    def refuse(*_: object, **__: object) -> None:
        raise denied

    monkeypatch.setattr(DeadLetterBucket, "open_keys", refuse)
    result = run_command("dead-letters")
    assert (result.exit_code, result.stderr) == (1, "AWS refused ListObjectsV2: AccessDenied: no\n")
