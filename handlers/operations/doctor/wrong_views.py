"""Views that are not what the log folds to, or adds up to."""

from collections import defaultdict
from collections.abc import Iterator

from handlers.operations.audit import counters, order_views
from handlers.operations.audit.table import ORDER_VIEW
from handlers.operations.doctor.problem import Kind, Problem, Repair
from handlers.operations.doctor.snapshot import Snapshot


def check(snapshot: Snapshot) -> Iterator[Problem]:
    """Views that differ from the log; one that something concerned just now still has time to follow."""
    settled = snapshot.settled_before
    wrong: dict[str, list[str]] = defaultdict(list)
    for order_id, difference in order_views.differences(snapshot):
        wrong[order_id].append(difference)
    for order_id, differences in wrong.items():
        if snapshot.moved_at.get(order_id, settled) <= settled:
            about = f"view of order {order_id}"
            yield Problem(Kind.WRONG_VIEW, about, "; ".join(differences), Repair("rebuild", ORDER_VIEW))
    recent = [stream for stream in snapshot.streams.values() if stream[-1].metadata.occurred_at > settled]
    touched = {projection: counters.touched(projection, recent) for projection in snapshot.table.counters}
    for counted in counters.differences(snapshot):
        if counted.view not in touched[counted.projection]:
            yield Problem(Kind.WRONG_COUNTER, counted.view, counted.wrong, Repair("rebuild", counted.projection))
