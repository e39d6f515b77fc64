"""Delivering archived events again, to projections and the audit alone."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from infra.cli import connection
from infra.cli.arguments import duration, moment_of, projection
from infra.cli.connection import Connection
from infra.cli.errors import Failure
from infra.cli.output import err, moment, out, tell
from infra.cli.own_queue import OwnQueue, own_queue
from infra.names import ARCHIVE_NAME

if TYPE_CHECKING:
    from types import FrameType

    from mypy_boto3_events import EventBridgeClient
    from rich.console import Console
    from rich.progress import Progress

PREFIX = "pipeline-replay-"
"""What the names of queues and rules begin with that a replay makes for itself."""

_MINUTE = timedelta(minutes=1)
_UNDER_WAY = {"STARTING", "RUNNING", "CANCELLING"}

_COUNTS_SETTLE_WITHIN_SECONDS = 60.0
"""For how long a count of messages must stand still to be believed: SQS is about a minute behind with it.

Source: Amazon SQS API Reference, GetQueueAttributes.
"""


class Window(NamedTuple):
    """A stretch of time whose events are replayed in one go."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{moment(self.start.isoformat())} to {moment(self.end.isoformat())}"


def replay(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="From when on: 2026-11-21, 2026-11-21T08:30.")],
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Until when; if not said, as far as the archive surely goes."),
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="PROJECTION", help="Only into this projection.")] = None,
    window: Annotated[str, typer.Option(metavar="DURATION", help="How much time to replay in one go.")] = "1h",
) -> None:
    """Deliver archived events again, to projections and the audit alone.

    It goes from window to window. Ctrl-C stops it after the one that runs, and once more at once. What is delivered
    twice changes nothing.
    """
    from handlers.projections.replays import ARCHIVE_LAG  # noqa: PLC0415 - see the package

    pipeline = connection.of(context)
    now = datetime.now(UTC)
    complete = now if pipeline.emulated else _minute(now - ARCHIVE_LAG)
    whole = _period(start, end, now, complete)
    length = duration(window)
    if length < _MINUTE or length % _MINUTE:
        raise Failure(f"--window {window}: whole minutes, and one at least", status=2)
    options = [*(["--only", only] if only else []), "--window", window]

    def command(since: datetime) -> str:
        return pipeline.command("replay", "--from", _iso(since), "--to", _iso(whole.end), *options)

    with _replaying(pipeline, only, whole.start) as replaying, _stopping() as stop, _progress(whole) as progress:
        try:
            _replay_all(replaying, windows(whole, length), stop, progress)
            delivered = replaying.delivered()
        except (Exception, KeyboardInterrupt):
            if replaying.reached < whole.end:
                progress.say(f"to go on: {command(replaying.reached)}")
            raise
    tell(out(), f"{delivered} events delivered, of {Window(whole.start, replaying.reached)}")
    if replaying.reached < whole.end:
        tell(err(), f"stopped; to go on: {command(replaying.reached)}")
        raise typer.Exit(128 + signal.SIGINT)
    if whole.end > complete:
        later = (whole.end + ARCHIVE_LAG).isoformat()
        tell(err(), f"the newest may not be in the archive yet; after {moment(later)}: {command(complete)}")


def windows(period: Window, length: timedelta) -> Iterator[Window]:
    """A period in windows of that length, between whole minutes: by the minute is how EventBridge replays."""
    start = period.start
    while start < period.end:
        end = min(start + length, period.end)
        yield Window(start, end)
        start = end


def _period(start: str, end: str | None, now: datetime, complete: datetime) -> Window:
    """The time to replay; without an end, until ``complete``."""
    first, last = _minute(moment_of(start)), moment_of(end) if end else complete
    for name, value in (("--from", first), ("--to", last)):
        if value > now:
            raise Failure(f"{name} is in the future: {moment(_iso(value))}", status=2)
    if first >= last:
        until = "--to" if end else "the time until which the archive is surely complete"
        raise Failure(f"--from is not before {until}: {Window(first, last)}", status=2)
    return Window(first, last)


def _replay_all(replaying: _Replaying, pieces: Iterable[Window], stop: _Stop, progress: _Progress) -> None:
    """Replay one window after the other, until it is asked to stop.

    Raises:
        Failure: a replay failed.
    """

    def meanwhile(covered: datetime) -> None:
        progress.reached(covered)
        if stop.wait(replaying.poll_seconds):
            progress.say("stopping after the window that runs; Ctrl-C once more stops at once")

    for piece in pieces:
        replaying.run(piece, meanwhile)
        progress.done(piece)
        if stop.asked:
            return


@dataclass
class _Replaying:
    """Replays windows under names that tell whom they are for, and counts what is delivered on a queue of its own.

    ``reached``: until when it has replayed.
    """

    events: EventBridgeClient
    archive: str
    bus: str
    filters: list[str]
    names: Iterator[str]
    queue: OwnQueue
    poll_seconds: float
    settles_within: float
    reached: datetime

    def run(self, window: Window, meanwhile: Callable[[datetime], None]) -> None:
        """Replay a window, and wait until that has ended: by ``meanwhile``, which is told how far it is.

        Raises:
            Failure: it failed, or somebody else called it off.
        """
        name = next(self.names)
        destination: Any = {"Arn": self.bus, **({"FilterArns": self.filters} if self.filters else {})}
        self.events.start_replay(
            ReplayName=name,
            EventSourceArn=self.archive,
            EventStartTime=window.start,
            EventEndTime=window.end,
            Destination=destination,
        )
        try:
            while (seen := self.events.describe_replay(ReplayName=name))["State"] in _UNDER_WAY:
                self.queue.still_alive()
                meanwhile(max(window.start, seen.get("EventLastReplayedTime", window.start)))
        except KeyboardInterrupt:
            self._call_off(name)
            raise
        if seen["State"] != "COMPLETED":
            why = seen.get("StateReason") or "no reason given"
            raise Failure(f"the replay of {window} is {seen['State']}: {why} ({name})")
        self.reached = window.end

    def delivered(self) -> int:
        """How many events came, once the queue's count stands still."""
        number, since = self._count(), time.monotonic()
        while time.monotonic() - since <= self.settles_within:
            time.sleep(self.poll_seconds)
            before, number = number, self._count()
            if number != before:
                since = time.monotonic()
        return number

    def _count(self) -> int:
        answer = self.queue.sqs.get_queue_attributes(
            QueueUrl=self.queue.url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def _call_off(self, name: str) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see the package

        with contextlib.suppress(ClientError):  # it may have ended by now
            self.events.cancel_replay(ReplayName=name)


@contextmanager
def _replaying(pipeline: Connection, only: str | None, start: datetime) -> Iterator[_Replaying]:
    """What replays from a time on, for every projection or for one."""
    from handlers.projections.replays import for_replay, rule  # noqa: PLC0415 - see the package

    unique = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-"
    pattern: dict[str, Any] = {"replay-name": [{"prefix": for_replay(only, unique)}]}
    if only:
        pattern["detail-type"] = [event.__name__ for event in projection(only).events]
    events = pipeline.client("events")
    archive = events.describe_archive(ArchiveName=ARCHIVE_NAME)
    bus = archive["EventSourceArn"]
    with own_queue(events, pipeline.client("sqs"), PREFIX, pattern) as queue:
        yield _Replaying(
            events,
            archive=archive["ArchiveArn"],
            bus=bus,
            filters=[rule(bus, only), rule(bus, queue.name)] if only else [],
            names=(for_replay(only, f"{unique}{number}") for number in count(1)),
            queue=queue,
            poll_seconds=pipeline.poll_seconds,
            settles_within=0 if pipeline.emulated else _COUNTS_SETTLE_WITHIN_SECONDS,
            reached=start,
        )


class _Stop:
    """Whether Ctrl-C has asked to stop. A second one raises."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._noticed = False

    @property
    def asked(self) -> bool:
        """Whether it has."""
        return self._asked.is_set()

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Take Ctrl-C.

        Raises:
            KeyboardInterrupt: it is the second one.
        """
        if self.asked:
            raise KeyboardInterrupt
        self._asked.set()

    def wait(self, seconds: float) -> bool:
        """Wait, at most until it is asked; returns whether it was asked since it waited before."""
        if self.asked:
            time.sleep(seconds)
        else:
            self._asked.wait(seconds)
        news, self._noticed = self.asked and not self._noticed, self.asked
        return news


@contextmanager
def _stopping() -> Iterator[_Stop]:
    """Ctrl-C asks to stop, for the time of the block."""
    stop = _Stop()
    before = signal.signal(signal.SIGINT, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class _Progress:
    """Tells how far a replay is: by a bar on a terminal, elsewhere by a line for each window."""

    whole: Window
    console: Console
    bar: Progress | None

    def say(self, line: str) -> None:
        """Tell a line."""
        tell(self.console, line)

    def reached(self, moment: datetime) -> None:
        """Show how far it is, where there is a bar."""
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=(moment - self.whole.start).total_seconds())

    def done(self, window: Window) -> None:
        """Tell that a window was replayed."""
        if self.bar:
            self.reached(window.end)
        else:
            self.say(f"replayed {window}")


@contextmanager
def _progress(whole: Window) -> Iterator[_Progress]:
    console = err()
    if not console.is_terminal:
        yield _Progress(whole, console, None)
        return

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(str(whole), total=(whole.end - whole.start).total_seconds())
        yield _Progress(whole, console, bar)


def _minute(at: datetime) -> datetime:
    """The whole minute before a time."""
    return at.replace(second=0, microsecond=0)


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
