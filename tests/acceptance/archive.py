"""Replays of the archive: how soon it has an event, and whether a replay keeps to the rules that it names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from events import streams
from handlers.operations.replay import whole_minute
from handlers.operations.temporary_queue import TemporaryQueue, temporary_queue
from handlers.projections.replays import rule
from tests.acceptance import orders
from tests.acceptance.check import Evidence, Wrong
from tests.acceptance.environment import Environment
from tests.acceptance.watch import Interrupted, TooLate, Watch

_PREFIX = "acceptance-replay-"
"""Of queues that are removed if they are left over. Other queues of checks have other names."""

_MINUTE = timedelta(minutes=1)
_OPEN = {"STARTING", "RUNNING", "CANCELLING"}
_SETTLED_SECONDS = 60.0


@dataclass(frozen=True)
class _Replays:
    """Replays of the minutes around a time, into the rule of one queue alone; their names begin with ``name``."""

    environment: Environment
    watch: Watch
    name: str
    queue: TemporaryQueue
    at: datetime

    def until_it_has(self, stream: str) -> datetime:
        """Replay until the queue gets an event of the stream; returns when the replay began that had it."""
        began: list[datetime] = []

        def attempt() -> bool:
            began.append(datetime.now(UTC))
            self._replay(f"{self.name}{len(began)}")
            return self._received(stream)

        # A replay is of whole minutes, and those have to be over.
        self.watch.until(lambda: datetime.now(UTC) > self._end, "the minute of the event over")
        self.watch.until(attempt, f"{stream} in a replay")
        return began[-1]

    @property
    def _end(self) -> datetime:
        return whole_minute(self.at) + 2 * _MINUTE

    def _replay(self, name: str) -> None:
        events, outputs = self.environment.client("events"), self.environment.outputs
        bus = outputs["OrdersBusArn"]
        events.start_replay(
            ReplayName=name,
            EventSourceArn=outputs["ArchiveArn"],
            EventStartTime=whole_minute(self.at) - _MINUTE,
            EventEndTime=self._end,
            Destination={"Arn": bus, "FilterArns": [rule(bus, self.queue.name)]},
        )

        def ended() -> str | None:
            state: str = events.describe_replay(ReplayName=name)["State"]
            return None if state in _OPEN else state

        try:
            state = self.watch.until(ended, f"the replay {name} ended")
        except (Interrupted, TooLate):
            with contextlib.suppress(ClientError):  # it may have ended by now
                events.cancel_replay(ReplayName=name)
            raise
        if state != "COMPLETED":
            raise Wrong(f"the replay {name} is {state}")

    def _received(self, stream: str) -> bool:
        """Whether the queue gets an event of the stream within a few seconds."""
        return any(stream in body for body in received(self.environment, self.queue))


def received(environment: Environment, queue: TemporaryQueue) -> Iterator[str]:
    """What is in a temporary queue, message by message, until nothing comes for ten seconds."""
    sqs = environment.client("sqs")
    while messages := sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, WaitTimeSeconds=10).get(
        "Messages"
    ):
        for each in messages:
            yield each["Body"]
            sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=each["ReceiptHandle"])


@contextmanager
def _queue(environment: Environment, replays: str) -> Iterator[TemporaryQueue]:
    """A temporary queue for what replays whose names begin with ``replays`` bring."""
    bus = environment.outputs["OrdersBusName"]
    pattern: dict[str, Any] = {"replay-name": [{"prefix": replays}]}
    with temporary_queue(environment.client("events"), environment.client("sqs"), bus, _PREFIX, pattern) as queue:
        yield queue


def archive_lag(environment: Environment, watch: Watch) -> Evidence:
    """Place an order, and replay its minute again and again until a replay has it."""
    name = f"{orders.new_id()}."
    with _queue(environment, name) as queue:
        placed, stream = _placed(environment, watch)
        began = _Replays(environment, watch, name, queue, placed).until_it_has(stream)
    return {"stream": stream, "minutes until a replay began that had it": round((began - placed) / _MINUTE, 1)}


def filtered_replay(environment: Environment, watch: Watch) -> Evidence:
    """Replay an event that two rules want into one of them: the other gets nothing."""
    name = f"{orders.new_id()}."
    with _queue(environment, name) as queue, _queue(environment, name) as other:
        placed, stream = _placed(environment, watch)
        _Replays(environment, watch, name, queue, placed).until_it_has(stream)
        watch.pause(_SETTLED_SECONDS, "nothing more comes")
        if wrongly := len(list(received(environment, other))):
            raise Wrong(f"a rule that FilterArns does not name got {wrongly} replayed events")
    return {"replayed": stream, "events to the rule that is not named": 0}


def _placed(environment: Environment, watch: Watch) -> tuple[datetime, str]:
    """When an order was placed, and its stream."""
    stream = streams.order(orders.by_bus(environment))
    [first, *_] = watch.until(lambda: environment.store.read(stream), f"{stream} in the log")
    return first.metadata.occurred_at, stream
