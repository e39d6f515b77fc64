"""Replays from the command line: in windows, for one projection or all, stopped and continued."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws
from moto.events.models import EventsBackend, Replay, ReplayState
from typer.testing import Result

from events.ordering import OrderCancelled, OrderConfirmed
from handlers.operations.replay import QUEUE_PREFIX, Window, windows
from handlers.operations.temporary_queue import ALIVE, TemporaryQueue, open_queue
from handlers.outbox import entry
from handlers.projections.registry import PROJECTIONS
from handlers.projections.replays import EVERYBODY, ReplayTarget, for_replay, target_of
from handlers.runtime import aws
from infra.cli.connection import Connection
from tests.builders.commands import run_command
from tests.builders.environment import ARCHIVE, BUS
from tests.builders.orders import placed
from tests.builders.recorded_events import image, record

HOUR = timedelta(hours=1)
EVENTS = [
    record(placed("demo.o1"), "order#demo.o1", 1),
    record(OrderConfirmed(order_id="demo.o1"), "order#demo.o1", 2),
    record(OrderCancelled(order_id="demo.o2", reason="OutOfStock"), "order#demo.o2", 2),
]


@pytest.fixture(autouse=True)
def handlers_of_signals() -> Iterator[None]:
    """A command that ends by a signal ignores further ones: its process ends. This process does not."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@dataclass
class Started:
    """Replays that were started: their windows, names and filters. What becomes of each, ``meanwhile`` says."""

    windows: list[Window] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    filters: list[list[str]] = field(default_factory=list)
    meanwhile: Callable[[Replay], None] = lambda replay: None


@pytest.fixture(autouse=True)
def started(environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """An archive with the events. moto replays whatever the window; on AWS, as here, a replay takes a while."""
    seen = Started()
    original, described = Replay.replay_events, EventsBackend.describe_replay

    def replayed(self: Replay, archive: Any) -> None:
        original(self, archive)
        self.state = ReplayState.RUNNING
        seen.names.append(self.name)
        start, end = (datetime.fromtimestamp(float(at), UTC) for at in (self.event_start_time, self.event_end_time))
        seen.windows.append(Window(start, end))
        seen.filters.append(self.destination.get("FilterArns", []))

    def describe(self: EventsBackend, name: str) -> dict[str, Any]:
        state = described(self, name)
        replay = self.replays[name]
        if replay.state is ReplayState.RUNNING:
            replay.state = ReplayState.COMPLETED
            seen.meanwhile(replay)
        return state

    monkeypatch.setattr(Replay, "replay_events", replayed)
    monkeypatch.setattr(EventsBackend, "describe_replay", describe)
    monkeypatch.setattr(Connection, "poll_seconds", 0)
    monkeypatch.setattr(Connection, "settle_seconds", 0)
    with mock_aws():
        events = aws.eventbridge()
        bus = events.create_event_bus(Name=BUS)["EventBusArn"]
        events.create_archive(ArchiveName=ARCHIVE, EventSourceArn=bus)
        events.put_events(Entries=[entry(image(each), BUS).put for each in EVENTS])
        yield seen


def ago(**units: float) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(**units)


def left() -> list[str]:
    """The names of the queues and rules that are left, and that replays have made."""
    queues = aws.sqs().list_queues().get("QueueUrls", [])
    rules = aws.eventbridge().list_rules(EventBusName=BUS, NamePrefix=QUEUE_PREFIX)["Rules"]
    return [url.rpartition("/")[2] for url in queues] + [rule["Name"] for rule in rules]


def replayed(start: datetime, *more: str) -> Result:
    result = run_command("replay", "--from", start.isoformat(), *more)
    assert left() == []
    return result


def named(result: Result) -> list[str]:
    """The command that was named, after ``pipeline``."""
    [line] = [line for line in result.stderr.splitlines() if "pipeline replay" in line]
    return shlex.split(line[line.index("pipeline replay") :])[1:]


def test_it_goes_from_window_to_window_and_counts_what_was_delivered(started: Started) -> None:
    start, end = ago(hours=4), ago(hours=1, minutes=30)
    result = replayed(start, "--to", end.isoformat())
    assert result.exit_code == 0, result.stderr
    assert started.windows == [
        Window(start, start + HOUR),
        Window(start + HOUR, start + 2 * HOUR),
        Window(start + 2 * HOUR, end),
    ]
    assert result.stderr.splitlines() == [f"replayed {window}" for window in started.windows]
    # To moto, every window has all events.
    assert result.stdout == f"{3 * len(EVENTS)} events delivered, of {Window(start, end)}\n"


def test_its_name_says_which_projection_it_is_for(started: Started) -> None:
    start = ago(hours=2)
    assert replayed(start).exit_code == 0
    assert {target_of(name) for name in started.names} == {ReplayTarget()}
    assert started.filters == [[]] * len(started.names)

    started.names.clear()
    started.filters.clear()
    result = replayed(start, "--only", "daily_sales", "--window", "2h")
    assert result.stdout.startswith("2 events delivered")  # of the three, those that the projection counts
    assert [target_of(name) for name in started.names] == [ReplayTarget("daily_sales")]
    [[function, own]] = started.filters
    assert function.endswith(f":rule/{BUS}/counting_projections")
    assert f":rule/{BUS}/{QUEUE_PREFIX}" in own


def test_names_are_what_eventbridge_takes(started: Started) -> None:
    replayed(ago(hours=2))
    [unique] = {name.rpartition("-")[0].removeprefix(f"replay.{EVERYBODY}.") for name in started.names}
    for projection in PROJECTIONS:
        assert re.fullmatch(r"[.\-_A-Za-z0-9]{1,64}", for_replay(projection, f"{unique}-99999"))


def test_without_an_end_it_goes_as_far_as_the_archive_surely_does(started: Started) -> None:
    assert replayed(ago(minutes=30)).stderr.splitlines() == [f"replayed {window}" for window in started.windows]
    assert ago(minutes=11) <= started.windows[-1].end <= ago(minutes=10)


def test_a_later_end_may_lack_the_newest_which_it_says(started: Started) -> None:
    end = ago(minutes=1)
    result = replayed(ago(minutes=30), "--to", end.isoformat())
    assert result.exit_code == 0
    assert "the newest events may not be in the archive yet" in result.stderr
    [*_, since, _, until, _, _] = named(result)
    assert ago(minutes=11) <= datetime.fromisoformat(since) <= ago(minutes=10)
    assert datetime.fromisoformat(until) == end


def test_ctrl_c_stops_after_the_window_in_progress(started: Started) -> None:
    started.meanwhile = lambda _: signal.raise_signal(signal.SIGINT)
    start, end = ago(hours=5), ago(hours=1)
    result = replayed(start, "--to", end.isoformat(), "--only", "order_view")
    assert result.exit_code == 130
    assert started.windows == [Window(start, start + HOUR)]
    assert result.stdout == f"{len(EVENTS)} events delivered, of {started.windows[0]}\n"
    assert "stopping after the window in progress" in result.stderr
    assert "stopped; to continue" in result.stderr

    started.meanwhile = lambda _: None
    assert run_command(*named(result)).exit_code == 0
    assert started.windows[1].start == start + HOUR
    assert started.windows[-1].end == end
    assert {target_of(name) for name in started.names} == {ReplayTarget("order_view")}


def test_ctrl_c_twice_stops_at_once_and_cancels_the_window(started: Started) -> None:
    def twice(replay: Replay) -> None:
        replay.state = ReplayState.RUNNING
        signal.raise_signal(signal.SIGINT)

    started.meanwhile = twice
    start = ago(hours=5)
    result = replayed(start)
    assert (result.exit_code, result.stdout) == (130, "")
    assert len(started.names) == 1
    [replay] = aws.eventbridge().list_replays()["Replays"]
    assert replay["State"] == "CANCELLED"
    assert datetime.fromisoformat(named(result)[2]) == start


def test_ctrl_c_while_it_counts_says_how_to_continue_too(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it continues to count")

    started.meanwhile = lambda _: signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr(TemporaryQueue, "message_count", interrupted)
    start = ago(hours=5)
    result = replayed(start)
    assert (result.exit_code, result.stdout) == (130, "")
    assert datetime.fromisoformat(named(result)[2]) == start + HOUR


@pytest.mark.parametrize("state", [ReplayState.FAILED, ReplayState.CANCELLED])
def test_a_replay_that_fails_names_the_window_and_how_to_continue(started: Started, state: ReplayState) -> None:
    def second_fails(replay: Replay) -> None:
        if len(started.names) == 2:
            replay.state = state

    started.meanwhile = second_fails
    start = ago(hours=5)
    result = replayed(start)
    assert (result.exit_code, result.stdout) == (1, "")
    *_, failure = result.stderr.splitlines()
    assert failure == f"the replay of {started.windows[1]} is {state.value}: no reason given ({started.names[1]})"
    assert datetime.fromisoformat(named(result)[2]) == start + HOUR


def test_the_queues_of_killed_replays_are_removed() -> None:
    events, sqs = aws.eventbridge(), aws.sqs()
    open_queue(events, sqs, BUS, f"{QUEUE_PREFIX}killed", {"source": ["x"]}, tags={ALIVE: "1000"})
    replayed(ago(hours=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "yesterday"), "'yesterday' is no time: 2026-11-21, "),
        (("--from", "2999-01-01"), "--from is in the future: 2999-01-01 00:00:00Z"),
        (("--from", "2026-01-01", "--to", "2999-01-01"), "--to is in the future"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "--from is not before --to: 2026-01-02 00:00:00Z to 2026-01"),
        (("--from", "2026-01-02", "--to", "2026-01-02T01:00:00+01:00"), "--from is not before --to"),
        (("--from", "2026-01-02", "--window", "90"), "'90' is no duration"),
        (("--from", "2026-01-02", "--window", "99999d"), "'99999d' is no duration"),
        (("--from", "2026-01-02", "--window", "90s"), "--window 90s: whole minutes"),
        (("--from", "2026-01-02", "--window", "0m"), "--window 0m: whole minutes"),
        (("--from", "2026-01-02", "--only", "views"), "there is no projection 'views'; there is: customer_history, "),
    ],
)
def test_nonsense_is_refused(started: Started, arguments: tuple[str, ...], message: str) -> None:
    refused(started, arguments, message)


def test_what_the_archive_may_not_have_yet_is_not_replayed(started: Started) -> None:
    since = ago(minutes=2).isoformat()
    refused(started, ["--from", since], "--from is not before the time until which the archive is surely")


def refused(started: Started, arguments: Sequence[str], message: str) -> None:
    result = run_command("replay", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert message in result.stderr
    assert (started.names, left()) == ([], [])


def test_windows_begin_at_whole_minutes_and_leave_nothing_out() -> None:
    start = datetime(2026, 1, 1, 12, 7, tzinfo=UTC)
    whole = Window(start, start + timedelta(minutes=5, seconds=30))
    pieces = list(windows(whole, timedelta(minutes=2)))
    assert [piece.start.minute for piece in pieces] == [7, 9, 11]
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    assert (pieces[0].start, pieces[-1].end) == whole
