"""Views that are not what the log folds to."""

from collections import defaultdict
from collections.abc import Iterator

from handlers.operations.audit import counters, views
from handlers.operations.doctor.look import Ailment, Look, Mend

ORDER_VIEW = "order_view"
"""The projection of orders, by the name that `pipeline rebuild` knows it by."""


def check(look: Look) -> Iterator[Ailment]:
    """Views that differ from the log; a view has the grace to follow what just happened."""
    wrong: dict[str, list[str]] = defaultdict(list)
    for order_id, difference in views.differences(look):
        wrong[order_id].append(difference)
    for order_id, differences in wrong.items():
        if look.moved_at.get(order_id, look.settled) <= look.settled:
            yield Ailment(f"view of order {order_id}", "; ".join(differences), Mend("rebuild", ORDER_VIEW))
    recent = [stream for stream in look.streams.values() if stream[-1].metadata.occurred_at > look.settled]
    for counted in counters.differences(look):
        if counted.view not in counters.touched(counted.projection, recent):
            yield Ailment(counted.view, counted.wrong, Mend("rebuild", counted.projection))
