"""Examining a pipeline: reading it, and naming the problems that remain when it is read again."""

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from handlers.operations.audit.copy import AuditCopy
from handlers.operations.audit.table import read_table
from handlers.operations.doctor.diagnosis import problems
from handlers.operations.doctor.problem import Problem
from handlers.operations.doctor.snapshot import Snapshot
from handlers.operations.doctor.stalled_orders import due
from handlers.table.event_store import EventStore

PAUSE_SECONDS = 5.0
"""How long after the first examination the second one begins."""

OnRead = Callable[[str, int], None]
"""Is called with what is being read (items, events) and how many more of it were."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Examination:
    """The problems of a pipeline, and the snapshot that shows them."""

    snapshot: Snapshot
    problems: Sequence[Problem]


class Doctor:
    """Examines one pipeline. Reads only.

    Args:
        store: the log; views and levels are items of the same table.
        copy: the audit copy.
        running: returns the ids of the orders that have a saga running. Called only if an order may be stalled, since
            it costs a call for each saga.
        now: returns the time, with its zone.
        wait: waits for as many seconds.
    """

    def __init__(
        self,
        store: EventStore,
        copy: AuditCopy,
        running: Callable[[], Set[str]],
        *,
        now: Callable[[], datetime] = _now,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._copy = copy
        self._running = running
        self._now = now
        self._wait = wait

    def examine(
        self, *, grace: timedelta, stalled_after: timedelta, on_read: OnRead = lambda _what, _more: None
    ) -> Examination:
        """Read the pipeline, and once more if there is a problem: one that is not there again, in the same way, was a
        pipeline at work.

        Args:
            grace: how long an event may take to be published, and shown in views.
            stalled_after: how long nothing may happen to an order that has not ended.
            on_read: is called as reading proceeds.

        Raises:
            UnreadableCopy: an object of the audit copy is not what it should be.
            Retryable: try again, as where the table is busy.
            ClientError: AWS refuses.
        """
        snapshot = self._snapshot(grace, stalled_after, on_read)
        found = list(problems(snapshot))
        if found:
            before = set(found)
            self._wait(PAUSE_SECONDS)
            snapshot = self._snapshot(grace, stalled_after, on_read)
            found = [problem for problem in problems(snapshot) if problem in before]
        return Examination(snapshot, found)

    def _snapshot(self, grace: timedelta, stalled_after: timedelta, on_read: OnRead) -> Snapshot:
        now = self._now()
        table = read_table(
            self._store.client, self._store.table, on_page=lambda items: on_read("items of the table", items)
        )
        self._copy.read(on_object=lambda events: on_read("events of the audit copy", events))
        snapshot = Snapshot(
            table, self._copy.event_ids, frozenset(), now - grace, now - stalled_after, self._copy.since
        )
        if any(due(snapshot, order_id) for order_id in snapshot.idle_orders):
            return replace(snapshot, running=self._running())
        return snapshot
