"""Seeing events cross the bus, and leaving nothing behind, whatever ends it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from typer.testing import Result

from events.envelope import Recorded
from events.ordering import OrderCancelled, OrderConfirmed
from handlers.operations.bus_queue import open_queue
from handlers.outbox import entry
from handlers.runtime import aws
from infra.cli import own_queue as own_queue_module
from infra.cli import tail as tail_module
from infra.cli.output import tell_row
from infra.cli.own_queue import ALIVE, OwnQueue
from infra.cli.tail import PREFIX
from infra.names import ORDERS_BUS_NAME
from tests.builders.commands import typed
from tests.builders.samples import image, placed, record

EVENTS = [
    record(placed("o1"), "order#o1", 1),
    record(placed("o2"), "order#o2", 1),
    record(OrderConfirmed(order_id="o1"), "order#o1", 2),
    record(OrderCancelled(order_id="o2", reason="OutOfStock"), "order#o2", 2),
]


@pytest.fixture(autouse=True)
def bus(environment: None) -> Iterator[None]:
    with mock_aws():
        aws.eventbridge().create_event_bus(Name=ORDERS_BUS_NAME)
        yield


def left() -> list[str]:
    """The names of the queues and rules that are left, and that tails have made."""
    queues = aws.sqs().list_queues().get("QueueUrls", [])
    rules = aws.eventbridge().list_rules(EventBusName=ORDERS_BUS_NAME)["Rules"]
    return [url.rpartition("/")[2] for url in queues] + [rule["Name"] for rule in rules]


def tailed(monkeypatch: pytest.MonkeyPatch, *arguments: str, until: int, ends: type[BaseException]) -> Result:
    """Tail while events cross the bus; it ends like that after so many rows."""
    rows = 0

    def opened(*given: Any, **more: Any) -> str:
        url = open_queue(*given, **more)
        aws.eventbridge().put_events(Entries=[entry(image(each), ORDERS_BUS_NAME).put for each in EVENTS])
        return url

    def told(*given: Any) -> None:
        nonlocal rows
        tell_row(*given)
        rows += 1
        if rows == until:
            raise ends

    monkeypatch.setattr(own_queue_module, "open_queue", opened)
    monkeypatch.setattr(tail_module, "tell_row", told)
    return typed("tail", *arguments)


def rows(events: list[Recorded]) -> list[tuple[str, str]]:
    return [(f"{each.stream} {each.version}", type(each.event).__name__) for each in events]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), EVENTS),
        (("--type", "OrderConfirmed", "--type", "OrderCancelled"), EVENTS[2:]),
        (("--order", "o1"), EVENTS[::2]),
        (("--order", "o2", "--type", "OrderCancelled"), EVENTS[3:]),
    ],
)
def test_events_are_shown_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: list[Recorded]
) -> None:
    result = tailed(monkeypatch, *arguments, until=len(expected), ends=KeyboardInterrupt)
    assert (result.exit_code, result.stderr) == (130, "listening on the bus orders; Ctrl-C ends\n")
    shown = [each.split("\t") for each in result.stdout.splitlines()]
    assert [(where, what) for _, where, what, _ in shown] == rows(expected)
    assert left() == []


@pytest.mark.parametrize("ends", [SystemExit, RuntimeError, BrokenPipeError])
def test_nothing_is_left_whatever_ends_it(monkeypatch: pytest.MonkeyPatch, ends: type[BaseException]) -> None:
    tailed(monkeypatch, until=1, ends=ends)
    assert left() == []


def test_replayed_events_are_no_news() -> None:
    assert tail_module.pattern([], None)["replay-name"] == [{"exists": False}]


def test_what_killed_tails_left_is_removed_and_what_is_alive_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    for name, alive in (("killed", now - 7200), ("alive", now - 1800)):
        tags = {ALIVE: str(alive)}
        open_queue(aws.eventbridge(), aws.sqs(), ORDERS_BUS_NAME, PREFIX + name, {"source": ["x"]}, tags=tags)
    aws.sqs().create_queue(QueueName="somebody-elses")
    tailed(monkeypatch, until=1, ends=KeyboardInterrupt)
    assert sorted(left()) == [f"{PREFIX}alive", f"{PREFIX}alive", "somebody-elses"]


def test_a_tail_says_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_queue_module, "_SAYS_SO_EVERY_SECONDS", -1)
    monkeypatch.setattr(tail_module, "_WAIT_SECONDS", 0)
    url = aws.sqs().create_queue(QueueName="q")["QueueUrl"]
    aws.sqs().send_message(QueueUrl=url, MessageBody='{"number": 1}')
    received = tail_module._received(OwnQueue(aws.sqs(), "q", url, time.monotonic()))
    assert next(received) == {"number": 1}
    aws.sqs().send_message(QueueUrl=url, MessageBody='{"number": 2}')
    assert next(received) == {"number": 2}
    assert abs(int(aws.sqs().list_queue_tags(QueueUrl=url)["Tags"][ALIVE]) - time.time()) < 60


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--type", "OrderPlacd"), "there is no event OrderPlacd; there is: CancellationRequested, "),
        (("--order", "two words"), "'two words' is no order id"),
    ],
)
def test_what_can_never_come_is_refused(arguments: tuple[str, ...], told: str) -> None:
    result = typed("tail", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert told in result.stderr
    assert left() == []
