"""What is wrong with a pipeline, as it was read. Pure."""

from collections.abc import Iterator

from handlers.operations.doctor import imbalances, stalled_orders, unpublished_events, wrong_views
from handlers.operations.doctor.problem import Kind, Problem
from handlers.operations.doctor.snapshot import Snapshot


def problems(snapshot: Snapshot) -> Iterator[Problem]:
    """Every problem that a snapshot shows; of a pipeline at work some go away by themselves."""
    for key in snapshot.table.unreadable:
        wrong = "the event cannot be read: deploy and run a version that knows its type"
        yield Problem(Kind.UNREADABLE_EVENT, key, wrong)
    for module in (unpublished_events, wrong_views, stalled_orders, imbalances):
        yield from module.check(snapshot)
