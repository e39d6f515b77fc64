"""Dead letters on the command line: looking at them, and sending them back to their queues."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import Result

from handlers.dead_letters.message import Letter, Stay, redriven
from handlers.dead_letters.stored import StoredLetters
from handlers.runtime import aws
from infra.cli.connection import Connection
from tests.builders.commands import typed

BUCKET = "letters"
STAY = Stay(error="Throttled", reasons="busy", tries=5, sent_at=datetime(2026, 1, 31, 9, tzinfo=UTC))


def letter(letter_id: str, source: str = "order_intake", error: str = "Throttled", day: int = 1, **more: Any) -> Letter:
    content: dict[str, Any] = {
        **{"letter_id": letter_id, "source": source, "body": "{}", "attributes": {}},
        **{"error": error, "reasons": "it broke", "tries": 5},
        "sent_at": datetime(2026, 2, day, 12, 30, 15, tzinfo=UTC),
    }
    return Letter(**content | more)


OLD, NEW = letter("old", day=1), letter("new", error="ClientError", day=3)
VIEW = letter("view", "order_view", day=2, body="whole", attributes={"RULE_ARN": "arn"}, history=(STAY,))
START = letter("start", "saga_start", body='{"order_id": "o1"}')
EVENT = letter("event", "cancellation_start", body='{"detail": {"data": {"order_id": "o2"}}}')
LARGE = letter("large", "outbox", body='{"stream": "shipment#o1", "version": 1}')
STRANGE = letter("strange", "outbox", body="not JSON")


@pytest.fixture(autouse=True)
def slept(environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long a command slept, on a clock that moves for nothing else; letters in the bucket, queues for two."""
    waited: list[float] = []
    monkeypatch.setattr("infra.cli.dead_letters.time.monotonic", lambda: sum(waited))
    monkeypatch.setattr("infra.cli.dead_letters.time.sleep", waited.append)
    with mock_aws():
        aws.s3().create_bucket(Bucket=BUCKET)
        urls = {name: aws.sqs().create_queue(QueueName=name)["QueueUrl"] for name in ("intake", "view")}
        outputs = {
            "DeadLetterBucketName": BUCKET,
            "OrderIntakeQueueUrl": urls["intake"],
            "OrderViewQueueUrl": urls["view"],
        }
        monkeypatch.setattr(Connection, "outputs", outputs)
        yield waited


def keep(*letters: Letter) -> None:
    for each in letters:
        aws.s3().put_object(Bucket=BUCKET, Key=each.key, Body=each.model_dump_json().encode())


def ids(prefix: str) -> set[str]:
    """The ids of the letters below there."""
    listed = aws.s3().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {found["Key"].rpartition("/")[2].partition(".")[0] for found in listed}


def messages(name: str) -> list[tuple[str, dict[str, str]]]:
    """Body and attributes of the messages in a queue."""
    url = aws.sqs().get_queue_url(QueueName=name)["QueueUrl"]
    found = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return [
        (each["Body"], {name: said["StringValue"] for name, said in each["MessageAttributes"].items()})
        for each in found.get("Messages", [])
    ]


def rows(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


# Looking


def test_open_letters_are_listed_day_by_day() -> None:
    keep(NEW, VIEW, OLD)
    assert rows(typed("dead-letters")) == [
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
def test_letters_are_listed_by_source_error_and_day(arguments: list[str], found: list[str]) -> None:
    keep(OLD, NEW, VIEW)
    assert [row[-1] for row in rows(typed("dead-letters", *arguments))] == found


def test_where_no_letter_is_open_that_is_said() -> None:
    for command in (["dead-letters"], ["redrive", "--all"]):
        told = typed(*command)
        assert (told.exit_code, told.stdout, told.stderr) == (0, "", "no letter is open\n")


@pytest.mark.parametrize(
    "command",
    [
        ["dead-letters", "--source", "intake"],
        ["dead-letters", "--error", "Refusal"],
        ["dead-letters", "--since", "2026-02-03"],
        ["redrive", "--source", "intake"],
    ],
)
def test_where_others_are_open_it_is_not_said_that_none_is(command: list[str]) -> None:
    keep(OLD)
    told = typed(*command)
    assert (told.exit_code, told.stdout, told.stderr) == (0, "", "no such letter is open\n")


def test_a_letter_is_shown_whole_with_its_history() -> None:
    keep(VIEW)
    assert rows(typed("dead-letters", "view")) == [
        ["letter", "view"],
        ["source", "order_view"],
        ["stay 1", "2026-01-31 09:00:00Z, Throttled after 5 tries"],
        ["stay 1", "busy"],
        ["stay 2", "2026-02-02 12:30:15Z, Throttled after 5 tries"],
        ["stay 2", "it broke"],
        ["RULE_ARN", "arn"],
        ["body", "whole"],
    ]


def test_a_redriven_letter_is_listed_no_more_but_shown() -> None:
    keep(OLD)
    StoredLetters(aws.s3(), BUCKET).mark_redriven(OLD.key, OLD, datetime(2026, 3, 1, tzinfo=UTC))
    assert typed("dead-letters").stdout == ""
    assert ["stay 1", "redriven 2026-03-01 00:00:00Z"] in rows(typed("dead-letters", "old"))
    assert typed("redrive", "old").stderr == "letter old was redriven, and has not come back\n"


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
def test_letters_go_back_to_their_queues_and_are_marked(arguments: list[str], sent: set[str]) -> None:
    keep(OLD, NEW, VIEW)
    done = typed("redrive", *arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{len(sent)} of {len(sent)} redriven\n", "")
    assert (ids("redriven/"), ids("open/")) == (sent, {"old", "new", "view"} - sent)
    back = {"intake": messages("intake"), "view": messages("view")}
    assert {said["message_id"] for name in back for _, said in back[name]} == sent
    for body, said in back["view"]:
        assert (body, said) == ("whole", {"message_id": "view", "letter": VIEW.key})
    marked = StoredLetters(aws.s3(), BUCKET).read(redriven(OLD.key))
    assert marked is None or marked.redriven_at is not None


def test_letters_go_back_at_a_bounded_rate_and_their_number_is_told(slept: list[float]) -> None:
    keep(*(letter(f"l{number}") for number in range(9)))
    done = typed("redrive", "--all", "--rate", "0.8")
    assert (done.stdout, done.stderr) == ("9 of 9 redriven\n", "6 of 9\n")
    assert sum(slept) == pytest.approx(8 / 0.8)


def test_killed_before_a_letter_is_marked_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(OLD)
    with monkeypatch.context() as killed:
        killed.setattr(StoredLetters, "mark_redriven", interrupted)
        assert typed("redrive", "--all").exit_code == 130
    assert ids("open/") == {"old"}
    assert typed("redrive", "--all").exit_code == 0
    assert [said["message_id"] for _, said in messages("intake")] == ["old", "old"]
    assert ids("open/") == set()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_letter_that_cannot_be_redriven_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(OLD, VIEW)
    aws.sqs().delete_queue(QueueUrl=aws.sqs().get_queue_url(QueueName="intake")["QueueUrl"])
    done = typed("redrive", "--all")
    assert (done.exit_code, done.stdout) == (1, "1 of 2 redriven\n")
    assert done.stderr.startswith("old could not be redriven: AWS refused SendMessage: ")
    assert ids("open/") == {"old"}


def test_a_bug_is_not_told_as_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(OLD)
    monkeypatch.setattr(StoredLetters, "mark_redriven", lambda *_: dict[str, str]()["bug"])
    assert isinstance(typed("redrive", "--all").exception, KeyError)


@pytest.mark.parametrize(
    ("kept", "instead"),
    [
        (START, "pipeline resume o1"),
        (EVENT, "pipeline resume o2"),
        (LARGE, "pipeline republish 'shipment#o1'"),
        (STRANGE, "see `pipeline dead-letters strange`"),
    ],
)
def test_where_there_is_no_queue_the_command_is_named(kept: Letter, instead: str) -> None:
    keep(kept)
    done = typed("redrive", kept.letter_id)
    assert (done.exit_code, done.stdout) == (1, "0 of 1 redriven\n")
    assert done.stderr == f"{kept.letter_id} came from no queue: {instead}\n"
    assert ids("open/") == {kept.letter_id}


@pytest.mark.parametrize(
    ("arguments", "status", "wrong"),
    [
        (["redrive"], 2, "say which letters"),
        (["redrive", "old", "--all"], 2, "say which letters"),
        (["redrive", "--source", "order_intake", "--all"], 2, "say which letters"),
        (["redrive", "unknown"], 1, "there is no letter unknown"),
        (["dead-letters", "unknown"], 1, "there is no letter unknown"),
        (["dead-letters", "two words"], 2, "'two words' is no letter id"),
        (["dead-letters", "old", "--source", "order_intake"], 2, "an id says which letter"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(arguments: list[str], status: int, wrong: str) -> None:
    keep(OLD)
    told = typed(*arguments)
    assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (status, "", 1)
    assert told.stderr.startswith(wrong)
    assert ids("open/") == {"old"}


def test_other_trouble_with_the_bucket_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")

    def refuse(*_: object, **__: object) -> None:
        raise denied

    monkeypatch.setattr(StoredLetters, "open", refuse)
    told = typed("dead-letters")
    assert (told.exit_code, told.stderr) == (1, "AWS refused ListObjectsV2: AccessDenied: no\n")
