"""Replay: deliver archived events again, to projections and the audit copy alone, window after window of time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from handlers.operations.errors import OperationFailed
from handlers.operations.temporary_queue import TemporaryQueue, temporary_queue
from handlers.projections.engine.projection import Definition
from handlers.projections.replays import ARCHIVE_LAG, for_replay, rule

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import ReplayDestinationTypeDef
    from mypy_boto3_sqs import SQSClient

QUEUE_PREFIX = "pipeline-replay-"
"""What the names of the queues and rules begin with that a replay makes for itself, to count what is delivered."""

COUNTS_SETTLE_WITHIN_SECONDS = 60.0
"""For how long a count of messages must not change to be believed: SQS is about a minute behind with it.

Source: Amazon SQS API Reference, GetQueueAttributes.
"""

_IN_PROGRESS = {"STARTING", "RUNNING", "CANCELLING"}


class Window(NamedTuple):
    """A stretch of time, between whole minutes, whose events are replayed in one go. The end is not part of it."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{_shown(self.start)} to {_shown(self.end)}"


def windows(period: Window, length: timedelta) -> Iterator[Window]:
    """A period in windows of that length, in whole minutes: by the minute is how EventBridge replays."""
    start = period.start
    while start < period.end:
        end = min(start + length, period.end)
        yield Window(start, end)
        start = end


def whole_minute(at: datetime) -> datetime:
    """The whole minute at or before a time."""
    return at.replace(second=0, microsecond=0)


def archived_until(now: datetime) -> datetime:
    """Until when the archive surely has all events, to the minute."""
    return whole_minute(now - ARCHIVE_LAG)


@dataclass
class Replaying:
    """Replays windows, and counts what is delivered with a temporary queue.

    ``reached``: until when it has replayed.
    """

    events: EventBridgeClient
    archive: str
    destination: ReplayDestinationTypeDef
    names: Iterator[str]
    queue: TemporaryQueue
    reached: datetime

    def run(self, window: Window, meanwhile: Callable[[datetime], None]) -> None:
        """Replay a window; returns when that has ended.

        Args:
            window: what to replay.
            meanwhile: is called again and again, with how far the replay is; it should wait a while. If it raises
                SystemExit or KeyboardInterrupt, the replay is cancelled.

        Raises:
            OperationFailed: the replay failed, or somebody else cancelled it.
        """
        name = next(self.names)
        self.events.start_replay(
            ReplayName=name,
            EventSourceArn=self.archive,
            EventStartTime=window.start,
            EventEndTime=window.end,
            Destination=self.destination,
        )
        try:
            while (answer := self.events.describe_replay(ReplayName=name))["State"] in _IN_PROGRESS:
                self.queue.keep_alive()
                meanwhile(max(window.start, answer.get("EventLastReplayedTime", window.start)))
        except (KeyboardInterrupt, SystemExit):
            with contextlib.suppress(ClientError):  # it may have ended by now
                self.events.cancel_replay(ReplayName=name)
            raise
        if answer["State"] != "COMPLETED":
            reason = answer.get("StateReason") or "no reason given"
            raise OperationFailed(f"the replay of {window} is {answer['State']}: {reason} ({name})")
        self.reached = window.end

    def delivered(self, *, poll_seconds: float, settle_seconds: float) -> int:
        """How many events were delivered: the queue's count, once it has not changed for ``settle_seconds``."""
        number, since = self.queue.message_count(), time.monotonic()
        while time.monotonic() - since <= settle_seconds:
            time.sleep(poll_seconds)
            before, number = number, self.queue.message_count()
            if number != before:
                since = time.monotonic()
        return number


@contextmanager
def replaying(
    events: EventBridgeClient, sqs: SQSClient, archive: str, projection: Definition | None, start: datetime
) -> Iterator[Replaying]:
    """What replays from a time on, for the time of the block.

    The names of its replays say which projection they are for: others leave their events alone.

    Args:
        events, sqs: clients.
        archive: the name of the archive of the orders bus.
        projection: the one to replay into; None for every one.
        start: from when it replays.
    """
    only = projection.name if projection else None
    unique = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-"
    pattern: dict[str, Any] = {"replay-name": [{"prefix": for_replay(only, unique)}]}
    if projection:
        pattern["detail-type"] = [event.__name__ for event in projection.events]
    described = events.describe_archive(ArchiveName=archive)
    bus = described["EventSourceArn"]
    with temporary_queue(events, sqs, bus.rpartition("/")[2], QUEUE_PREFIX, pattern) as queue:
        destination: ReplayDestinationTypeDef = {"Arn": bus}
        if projection:
            destination["FilterArns"] = [rule(bus, projection.function), rule(bus, queue.name)]
        names = (for_replay(only, f"{unique}{number}") for number in count(1))
        yield Replaying(events, described["ArchiveArn"], destination, names, queue, start)


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
