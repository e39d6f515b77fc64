"""A run: stock the warehouse, publish orders, wait until nothing happens any more, audit what is left."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from events.publishing.publisher import Entry, Publisher, Unpublished
from handlers.operations.audit import audit
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.published_submission import Key, Submission
from handlers.operations.audit.run import DeadLetter, Run
from handlers.operations.audit.table import Item
from infra.local.runner.audit_input import read_dead_letters, read_emails, read_persons, read_rejection_key, read_table
from infra.local.runner.bus_capture import BusCapture
from infra.local.runner.run_progress import Progress
from infra.local.runner.stock_deliveries import ORDER_SUBMITTED, SOURCE, STOCK_DELIVERED

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline

PATIENCE = 60.0
"""Seconds without any event on the orders bus, while sagas run or messages wait, until a run has stalled."""

UNDER_WAY = 16
"""How many submissions are published and have not ended, at most. More would only wait: two processors serve no more,
and sagas that find a function busy cost as much as those that are served."""

_SETTLING = 15.0  # seconds without a change after which what does not hold is a finding
_POLL = 0.15
_POLL_DEAD_LETTERS = 1.0
_STOCKED_WITHIN = 60.0
_SHOWN_CAUSE = 300  # characters
_DEPTH = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]


class ProgressListener(Protocol):
    """Is called while a run goes on."""

    def stage_started(self, stage: str) -> None:
        """Another stage begins."""

    def progressed(self, progress: Progress) -> None:
        """Submissions may have progressed."""


class NotStocked(Exception):
    """A delivery did not become stock in time; the message names it."""


@dataclass(frozen=True)
class Report:
    """What became of a run.

    ``run`` is everything it left, ``findings`` what does not hold of it, ``progress`` has each submission's result, and
    ``published_at`` the moment each was first published.
    """

    run: Run
    findings: Sequence[Finding]
    progress: Progress
    published_at: Mapping[Key, datetime]
    sent: int

    @property
    def latencies(self) -> list[float]:
        """Seconds from publishing a submission to the event that ended it, shortest first. Dead letters have none."""
        results = self.progress.results
        return sorted((at - self.published_at[key]).total_seconds() for key in results if (at := results[key].at))

    @property
    def seconds(self) -> float:
        """From publishing the first submission to the last event that ended one."""
        ends = [result.at for result in self.progress.results.values() if result.at]
        return (max(ends) - min(self.published_at.values())).total_seconds() if ends else 0.0

    @property
    def orders_per_second(self) -> float:
        """Submissions that ended in an event, a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of ``ordered`` values that at least ``share`` of them do not exceed (nearest rank)."""
    rank = -(-len(ordered) * share // 1)
    return ordered[max(int(rank), 1) - 1]


def run(
    pipeline: Pipeline,
    submissions: Sequence[Submission],
    deliveries: Sequence[Mapping[str, Any]],
    listener: ProgressListener,
) -> Report:
    """Run orders through a pipeline that holds nothing yet.

    Args:
        pipeline: the deployed pipeline.
        submissions: what to publish, in this order; the same one may appear several times.
        deliveries: ``StockDelivered`` details, which are in stock before the first submission.
        listener: is called as the run progresses.

    Raises:
        NotStocked: a delivery did not become stock in time.
        events.publishing.publisher.Unpublished: the intake bus did not accept something.
    """
    return _Runner(pipeline, submissions, deliveries, listener).run()


class _Runner:
    def __init__(
        self,
        pipeline: Pipeline,
        submissions: Sequence[Submission],
        deliveries: Sequence[Mapping[str, Any]],
        listener: ProgressListener,
    ) -> None:
        self._pipeline = pipeline
        self._submissions = submissions
        self._deliveries = deliveries
        self._listener = listener
        self._rejection_key = read_rejection_key(pipeline)
        self._progress = Progress(submissions, self._rejection_key)
        self._capture = BusCapture(pipeline)
        self._publisher = Publisher(pipeline.client("events"), pipeline.intake_bus, SOURCE)
        self._sqs = pipeline.client("sqs")
        self._sagas = pipeline.client("stepfunctions")
        self._dead_letters: dict[str, DeadLetter] = {}
        self._published_at: dict[Key, datetime] = {}
        self._changed_at = time.monotonic()

    def run(self) -> Report:
        self._listener.stage_started(
            f"stocking the warehouse with {sum(len(each['lines']) for each in self._deliveries)} SKUs"
        )
        self._stock()
        self._listener.stage_started(
            f"publishing {len(self._submissions)} submissions, {UNDER_WAY} under way at a time"
        )
        self._publish_and_follow()
        self._listener.stage_started("waiting until nothing happens any more")
        left = self._settle()
        return Report(left, audit(left), self._progress, self._published_at, len(self._submissions))

    def _stock(self) -> None:
        self._publisher.publish(Entry.untyped(STOCK_DELIVERED, delivery) for delivery in self._deliveries)
        self._changed_at = time.monotonic()
        waiting = [delivery["delivery_id"] for delivery in self._deliveries]
        while waiting:
            self._take()
            waiting = [delivery_id for delivery_id in waiting if not self._progress.has_received(delivery_id)]
            if waiting and self._quiet_for() > _STOCKED_WITHIN:
                reasons = "; ".join(message.reasons for message in read_dead_letters(self._pipeline).values())
                raise NotStocked(f"the delivery {waiting[0]} is not in stock after {_STOCKED_WITHIN:.0f} s {reasons}")

    def _publish_and_follow(self) -> None:
        """Publish as orders end, and wait until every submission has ended, or nothing happens any more."""
        unpublished = deque(self._submissions)
        polled_at = self._changed_at = time.monotonic()
        while unpublished or self._progress.open:
            room = UNDER_WAY - len(self._published_at.keys() - self._progress.results.keys())
            self._publish([unpublished.popleft() for _ in range(min(room, len(unpublished)))])
            self._take()
            if time.monotonic() - polled_at > _POLL_DEAD_LETTERS:
                self._take_dead_letters()
                polled_at = time.monotonic()
            self._listener.progressed(self._progress)
            if self._quiet_for() > PATIENCE or (self._quiet_for() > _SETTLING and not self._is_working()):
                if not unpublished:
                    return
                # Those under way have stalled: they must not hold up the others.
                self._publish(unpublished)
                unpublished.clear()

    def _publish(self, submissions: Sequence[Submission]) -> None:
        if submissions:
            entries = [Entry.untyped(ORDER_SUBMITTED, each.detail) for each in submissions]
            keys = {entry: each.key for entry, each in zip(entries, submissions, strict=True)}
            for outcome in self._publisher.outcomes(entries):
                if not outcome.sent:
                    raise Unpublished([outcome])
                self._published_at.setdefault(keys[outcome.event], outcome.at)
            self._changed_at = time.monotonic()

    def _settle(self) -> Run:
        """Wait until all holds and nothing changes any more, or what does not hold has had its time."""
        patience = 0.0 if self._progress.open else _SETTLING
        before: tuple[int, ...] = ()
        while True:
            self._take()
            self._take_dead_letters()
            left = self._left()
            size = (len(left.table.log), len(left.table.views), len(left.bus), len(left.emails), len(left.dead_letters))
            if size != before:
                before, changed_at = size, time.monotonic()
                continue
            if not self._is_working() and not audit(left):
                return left
            if time.monotonic() - changed_at >= patience:
                return replace(left, waiting=self._waiting(), unfinished_sagas=self._unfinished_sagas())

    def _left(self) -> Run:
        return Run(
            table=read_table(self._pipeline),
            persons=read_persons(self._pipeline),
            rejection_key=self._rejection_key,
            submissions=self._submissions,
            deliveries=self._deliveries,
            bus=frozenset(self._progress.event_ids),
            dead_letters=tuple(self._dead_letters.values()),
            emails=read_emails(self._pipeline),
        )

    def _take(self) -> None:
        time.sleep(_POLL)
        if self._progress.add_events(self._capture.take()):
            self._changed_at = time.monotonic()

    def _take_dead_letters(self) -> None:
        messages = read_dead_letters(self._pipeline, known=self._dead_letters)
        self._dead_letters |= messages
        self._progress.add_dead_letters(messages.values())

    def _quiet_for(self) -> float:
        return time.monotonic() - self._changed_at

    def _is_working(self) -> bool:
        return bool(self._waiting()) or next(self._executions("RUNNING"), None) is not None

    def _waiting(self) -> dict[str, int]:
        """How many messages wait or are being processed, by queue, without the queues that have none."""
        waiting: dict[str, int] = {}
        for name, url in self._pipeline.all_queue_urls.items():
            counts = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTH)["Attributes"]
            waiting[name] = sum(int(counts[depth]) for depth in _DEPTH)
        return {name: count for name, count in waiting.items() if count}

    def _unfinished_sagas(self) -> dict[str, str]:
        """Where the sagas are that did not end well, by order id."""
        return {
            json.loads(saga["input"])["order_id"]: self._where(saga)
            for status in ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED")
            for execution in self._executions(status)
            if (saga := self._sagas.describe_execution(executionArn=execution["executionArn"]))
        }

    def _where(self, saga: Item) -> str:
        history = self._sagas.get_execution_history(executionArn=saga["executionArn"], maxResults=1000)["events"]
        entered = [
            event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
        ]
        because = f": {saga['error']} {saga.get('cause', '')}"[:_SHOWN_CAUSE] if "error" in saga else ""
        return f"{saga['status'].lower()} at {entered[-1] if entered else 'its start'}{because}"

    def _executions(self, status: str) -> Iterator[Item]:
        """Those of the express lane too, which the emulator lists."""
        pages = self._sagas.get_paginator("list_executions")
        pipeline = self._pipeline
        for saga in (
            pipeline.express_state_machine_arn,
            pipeline.state_machine_arn,
            pipeline.cancellation_state_machine_arn,
        ):
            for page in pages.paginate(stateMachineArn=saga, statusFilter=status):
                yield from page["executions"]
