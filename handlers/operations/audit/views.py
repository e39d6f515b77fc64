"""Invariant 1: the log is the truth. What views hold is what the log folds to, and adds up to."""

from collections.abc import Iterator

from handlers.operations.audit import counters, order_views
from handlers.operations.audit.evidence import Evidence, Finding


def check(evidence: Evidence) -> Iterator[Finding]:
    """Where a view and the log differ."""
    for key in evidence.table.unreadable:
        yield Finding(1, key, "the event cannot be read")
    for order_id, wrong in order_views.differences(evidence):
        yield Finding(1, f"order {order_id}", wrong)
    for counted in counters.differences(evidence):
        yield Finding(1, counted.view, counted.wrong)
