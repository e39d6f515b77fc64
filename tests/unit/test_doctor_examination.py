"""Examining a pipeline: it is read twice, and a problem is one that is there both times."""

from collections.abc import Callable, Set
from datetime import timedelta

import pytest

from events import streams
from events.envelope import event_id
from handlers.operations.audit.copy import AuditCopy, UnreadableCopy
from handlers.operations.doctor.examination import PAUSE_SECONDS, Doctor, Examination
from handlers.operations.doctor.problem import Kind
from handlers.table.event_store import EventStore
from tests.builders.clean_run import TABLE, published
from tests.builders.orders import placed
from tests.builders.recorded_events import START, image, record
from tests.builders.stored_run import BUCKET, DAY, buckets, copied, hold, set_level

NO_TIME = timedelta()
HOUR = timedelta(hours=1)


@pytest.fixture
def pipeline(store: EventStore) -> EventStore:
    """A table, and the bucket of an audit copy."""
    buckets().create_bucket(Bucket=BUCKET)
    return store


def nobody() -> Set[str]:
    raise AssertionError("no order may be stalled, so nobody need ask for sagas")


class Pause:
    """What happens to the pipeline between the two readings, instead of waiting."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.waited: list[float] = []
        self._meanwhile = meanwhile

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self._meanwhile()


def examined(
    store: EventStore,
    pause: Pause | None = None,
    *,
    running: Callable[[], Set[str]] = nobody,
    grace: timedelta = NO_TIME,
    stalled_after: timedelta = NO_TIME,
) -> Examination:
    """What the doctor finds an hour after all that happened."""
    wait = (pause or Pause()).wait
    doctor = Doctor(store, AuditCopy(buckets(), BUCKET), running, now=lambda: START + HOUR, wait=wait)
    return doctor.examine(grace=grace, stalled_after=stalled_after)


def test_a_sound_pipeline_is_read_once(pipeline: EventStore) -> None:
    hold(pipeline)
    copied(published(TABLE.log))
    pause = Pause()
    found = examined(pipeline, pause)
    assert (found.problems, pause.waited) == ([], [])
    assert found.snapshot.table.log == TABLE.log


def test_a_problem_that_is_still_there_a_while_later_is_one(pipeline: EventStore) -> None:
    hold(pipeline)
    copied(published(TABLE.log) - {event_id("order#demo.well", 2)})
    pause = Pause()
    [problem] = examined(pipeline, pause).problems
    assert (problem.kind, problem.about) == (Kind.UNPUBLISHED_EVENT, "order#demo.well version 2")
    assert pause.waited == [PAUSE_SECONDS]


def test_what_is_right_a_while_later_was_no_problem(pipeline: EventStore) -> None:
    copied(published(TABLE.log))
    set_level(pipeline, "A", available=7, version=4)
    assert examined(pipeline, Pause(lambda: hold(pipeline))).problems == []


def test_what_differs_otherwise_than_before_is_a_pipeline_at_work(pipeline: EventStore) -> None:
    hold(pipeline)
    copied(published(TABLE.log))
    set_level(pipeline, "A", available=6, version=5)
    assert examined(pipeline, Pause(lambda: set_level(pipeline, "A", available=5, version=6))).problems == []


def test_an_event_that_arrives_in_the_audit_copy_late_is_published(pipeline: EventStore) -> None:
    hold(pipeline)
    copied([])
    assert examined(pipeline, Pause(lambda: copied(published(TABLE.log), "2"))).problems == []


@pytest.mark.parametrize(
    ("grace", "stalled_after", "kinds"),
    [
        (NO_TIME, NO_TIME, {Kind.WRONG_VIEW, Kind.WRONG_COUNTER, Kind.STALLED_ORDER}),
        (NO_TIME, 2 * HOUR, {Kind.WRONG_VIEW, Kind.WRONG_COUNTER}),
        (2 * HOUR, NO_TIME, {Kind.STALLED_ORDER}),
        (2 * HOUR, 2 * HOUR, set()),
    ],
)
def test_what_just_happened_has_time_by_the_clock(
    pipeline: EventStore, grace: timedelta, stalled_after: timedelta, kinds: set[Kind]
) -> None:
    pipeline.client.put_item(TableName=pipeline.table, Item=image(record(placed("demo.o1"), "order#demo.o1", 1)))
    copied([event_id("order#demo.o1", 1)])
    found = examined(pipeline, running=frozenset, grace=grace, stalled_after=stalled_after)
    assert {problem.kind for problem in found.problems} == kinds


def test_an_order_whose_saga_runs_is_not_stalled(pipeline: EventStore) -> None:
    for order_id in ("demo.o1", "demo.o2"):
        pipeline.client.put_item(
            TableName=pipeline.table, Item=image(record(placed(order_id), streams.order(order_id), 1))
        )
    stalled = [
        problem.about
        for problem in examined(pipeline, running=lambda: {"demo.o1"}).problems
        if problem.kind is Kind.STALLED_ORDER
    ]
    assert stalled == ["order demo.o2"]


def test_an_audit_copy_that_is_not_readable_is_an_error(pipeline: EventStore) -> None:
    buckets().put_object(Bucket=BUCKET, Key=f"{DAY}broken", Body=b'{"detail": 1}')
    with pytest.raises(UnreadableCopy, match=f"s3://{BUCKET}/{DAY}broken is not readable as events"):
        examined(pipeline)
