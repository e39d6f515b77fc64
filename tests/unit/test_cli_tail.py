"""A tail shows the events that cross the bus, and leaves nothing behind, whatever ends it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from typer.testing import Result

from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed
from handlers.operations import temporary_queue as temporary_queue_module
from handlers.operations.temporary_queue import ALIVE, TemporaryQueue, open_queue
from handlers.outbox import entry
from handlers.runtime import aws
from infra.cli import tail_command
from infra.cli.connection import Connection
from infra.cli.output import print_row
from infra.cli.tail_command import PREFIX, pattern
from infra.signals import Ended
from tests.builders.commands import run_command
from tests.builders.environment import BUS, OUTPUTS
from tests.builders.orders import placed
from tests.builders.recorded_events import image, record

CTRL_C = Ended(signal.SIGINT)
EVENTS = [
    record(placed("demo.o1"), "order#demo.o1", 1),
    record(placed("demo.o2"), "order#demo.o2", 1),
    record(OrderConfirmed(order_id="demo.o1"), "order#demo.o1", 2),
    record(OrderCancelled(order_id="demo.o2", reason="OutOfStock"), "order#demo.o2", 2),
]


@pytest.fixture(autouse=True)
def bus(environment: None) -> Iterator[None]:
    with mock_aws():
        aws.eventbridge().create_event_bus(Name=BUS)
        yield


def left() -> list[str]:
    """The names of the queues and rules that are left, and that tails have made."""
    queues = aws.sqs().list_queues().get("QueueUrls", [])
    rules = aws.eventbridge().list_rules(EventBusName=BUS)["Rules"]
    return [url.rpartition("/")[2] for url in queues] + [rule["Name"] for rule in rules]


def tailed(monkeypatch: pytest.MonkeyPatch, *arguments: str, until: int, ends: BaseException = CTRL_C) -> Result:
    """Tail while events cross the bus; it ends like that after so many rows."""
    rows = 0

    def opened(*given: Any, **more: Any) -> str:
        url = open_queue(*given, **more)
        aws.eventbridge().put_events(Entries=[entry(image(each), BUS).put for each in EVENTS])
        return url

    def printed(*given: Any) -> None:
        nonlocal rows
        print_row(*given)
        rows += 1
        if rows == until:
            raise ends

    monkeypatch.setattr(temporary_queue_module, "open_queue", opened)
    monkeypatch.setattr(tail_command, "print_row", printed)
    return run_command("tail", *arguments)


def rows(events: list[Recorded]) -> list[tuple[str, str]]:
    return [(f"{each.stream} {each.version}", type(each.event).__name__) for each in events]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), EVENTS),
        (("--type", "OrderConfirmed", "--type", "OrderCancelled"), EVENTS[2:]),
        (("--order", "demo.o1"), EVENTS[::2]),
        (("--order", "demo.o2", "--type", "OrderCancelled"), EVENTS[3:]),
    ],
)
def test_events_are_shown_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: list[Recorded]
) -> None:
    result = tailed(monkeypatch, *arguments, until=len(expected))
    assert (result.exit_code, result.stderr) == (130, "listening on the bus orders; Ctrl-C ends\n")
    shown = [each.split("\t") for each in result.stdout.splitlines()]
    assert [(where, what) for _, where, what, _ in shown] == rows(expected)
    assert left() == []


def test_the_shop_of_an_order_may_be_left_out_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)
    result = tailed(monkeypatch, "--order", "o2", until=2)
    assert [each.split("\t")[1] for each in result.stdout.splitlines()] == ["order#demo.o2 1", "order#demo.o2 2"]


@pytest.mark.parametrize("ends", [Ended(signal.SIGTERM), RuntimeError(), BrokenPipeError()])
def test_nothing_is_left_whatever_ends_it(monkeypatch: pytest.MonkeyPatch, ends: BaseException) -> None:
    tailed(monkeypatch, until=1, ends=ends)
    assert left() == []


def test_replayed_events_are_not_shown() -> None:
    assert pattern([], None)["replay-name"] == [{"exists": False}]


def test_the_queues_of_killed_tails_are_removed_and_those_of_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    for name, alive in (("killed", now - 7200), ("alive", now - 1800)):
        tags = {ALIVE: str(alive)}
        open_queue(aws.eventbridge(), aws.sqs(), BUS, PREFIX + name, {"source": ["x"]}, tags=tags)
    aws.sqs().create_queue(QueueName="somebody-elses")
    tailed(monkeypatch, until=1)
    assert sorted(left()) == [f"{PREFIX}alive", f"{PREFIX}alive", "somebody-elses"]


def test_a_tail_keeps_its_queue_tagged_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    url = aws.sqs().create_queue(QueueName="q")["QueueUrl"]
    received = TemporaryQueue(aws.sqs(), "q", url, tagged_at=time.monotonic()).events()

    def next_event(number: int) -> int:
        aws.sqs().send_message(QueueUrl=url, MessageBody=f'{{"number": {number}}}')
        return int(next(received)["number"])

    assert [next_event(1), next_event(2)] == [1, 2]
    assert not aws.sqs().list_queue_tags(QueueUrl=url).get("Tags")
    later = time.monotonic() + 700
    monkeypatch.setattr("handlers.operations.temporary_queue.time.monotonic", lambda: later)
    assert next_event(3) == 3
    assert abs(int(aws.sqs().list_queue_tags(QueueUrl=url)["Tags"][ALIVE]) - time.time()) < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--type", "OrderPlacd"), "there is no event OrderPlacd; there is: CancellationRequested, "),
        (("--order", "two words"), "'two words' is no order id"),
    ],
)
def test_what_can_never_happen_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = run_command("tail", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert message in result.stderr
    assert left() == []
