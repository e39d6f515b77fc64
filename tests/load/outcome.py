"""What became of the orders of a load, read once nothing moves any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from events.ordering import OrderCancelled
from handlers.operations.audit import audit
from handlers.operations.audit.copy import AuditCopy
from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.run import Run
from handlers.operations.doctor.examination import Doctor, Examination
from infra.local.pipeline import Pipeline
from infra.local.runner.audit_input import read_dead_letters, read_emails, read_persons, read_rejection_key
from tests.acceptance.environment import Environment
from tests.acceptance.watch import TooLate, Watch
from tests.load.ended import EndedOrders
from tests.load.orders import LoadOrders
from tests.load.records import Sent

_DEPTH = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a load.

    ``waiting`` are the messages left, by queue; ``lost`` says of each accepted order that has not exactly one outcome,
    ``different`` of each that ended otherwise than it had to; ``findings`` of each invariant that does not hold.
    ``took`` has the seconds from sending an order to its outcome, by number.
    """

    waiting: dict[str, int]
    lost: list[str]
    different: list[str]
    findings: list[str]
    took: dict[int, float]


def waiting(environment: Environment) -> dict[str, int]:
    """How many messages are in each queue, without those that have none."""
    sqs = environment.client("sqs")
    found: dict[str, int] = {}
    for name, url in environment.outputs.items():
        if name.endswith("QueueUrl"):
            counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTH)["Attributes"]
            found[name.removesuffix("Url")] = sum(int(counts[depth]) for depth in _DEPTH)
    return {name: count for name, count in found.items() if count}


def drained(environment: Environment, watch: Watch, ended: EndedOrders, accepted: int) -> dict[str, int]:
    """Wait until every order has ended and no message is left; returns what is left when the time is over."""
    try:
        watch.until(lambda: ended.count() >= accepted and not waiting(environment), "no backlog")
    except TooLate:
        return waiting(environment)
    return {}


def examined(environment: Environment, watch: Watch) -> Examination:
    """What the doctor finds, who waits until the audit copy and the views have followed."""
    connection = environment.connection
    copy = AuditCopy(environment.client("s3"), environment.outputs["AuditBucketName"])
    doctor = Doctor(connection.store, copy, connection.sagas.running)
    while (found := doctor.examine(grace=timedelta(), stalled_after=timedelta())).problems:
        try:
            watch.pause(connection.poll_seconds, "no problems")
        except TooLate:
            break
    return found


def became(
    orders: LoadOrders, sent: Sequence[Sent], evidence: Evidence
) -> tuple[list[str], list[str], dict[int, float]]:
    """Which accepted orders are lost, which orders ended otherwise than they had to, and how many seconds each took."""
    lost, different, took = [], [], {}
    for each in sent:
        submission = orders.submission(each.number)
        assert submission.order_id is not None
        outcomes = evidence.outcomes(submission.order_id)
        if len(outcomes) != 1:
            if each.accepted:
                lost.append(f"order {submission.order_id}, accepted by {each.door}, has {len(outcomes)} outcomes")
            continue
        [outcome] = outcomes
        took[each.number] = outcome.metadata.occurred_at.timestamp() - each.at
        was = outcome.event.reason if isinstance(outcome.event, OrderCancelled) else "CONFIRMED"
        if was != submission.expected:
            different.append(f"order {submission.order_id} had to end as {submission.expected}, and ended as {was}")
    return lost, different, took


def audited(
    pipeline: Pipeline, orders: LoadOrders, sent: Sequence[Sent], found: Examination, left: dict[str, int]
) -> list[str]:
    """What the audit finds, of a pipeline on this machine to which nobody but this load sent anything."""
    evidence = found.snapshot
    submissions = [orders.submission(each.number) for each in sent]
    # One that was not answered may have come in, or not.
    came_in = [
        submission
        for each, submission in zip(sent, submissions, strict=True)
        if each.accepted or submission.order_id in evidence.orders
    ]
    run = Run(
        table=evidence.table,
        persons=read_persons(pipeline),
        rejection_key=read_rejection_key(pipeline),
        submissions=came_in,
        deliveries=orders.deliveries,
        bus=frozenset(evidence.published),
        dead_letters=tuple(read_dead_letters(pipeline).values()),
        emails=read_emails(pipeline),
        waiting=left,
    )
    return list(map(str, audit(run)))
