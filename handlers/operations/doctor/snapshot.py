"""The state of a pipeline, as the doctor read it."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from handlers.operations.audit.evidence import Evidence

_OF_AN_ORDER = frozenset({"order", "rejection", "cancellation", "reservation", "payment", "shipment", "erasure"})


@dataclass(frozen=True)
class Snapshot(Evidence):
    """The table as it was read, and what belongs to it.

    ``published`` has the ids of the events in the audit copy, which begins with ``copied_since``; ``running`` the ids
    of the orders that have a saga running. What happened after ``settled_before`` need not show anywhere yet; an order
    to which something happened after ``stalled_before`` is not stalled.
    """

    published: Set[str]
    running: Set[str]
    settled_before: datetime
    stalled_before: datetime
    copied_since: datetime | None = None

    @cached_property
    def moved_at(self) -> Mapping[str, datetime]:
        """When something last happened to each order, on any stream; to one that was refused, too."""
        moved: dict[str, datetime] = {}
        for stream, records in self.streams.items():
            kind, _, rest = stream.partition("#")
            if kind in _OF_AN_ORDER:
                order_id = rest.partition("#")[0]  # in a rejection's stream, the content hash follows
                at = records[-1].metadata.occurred_at
                moved[order_id] = max(at, moved.get(order_id, at))
        return moved

    @cached_property
    def settled_orders(self) -> frozenset[str]:
        """The orders to which nothing happened for the time that views take, and for which no saga runs."""
        return frozenset(self._idle(self.settled_before))

    @cached_property
    def idle_orders(self) -> frozenset[str]:
        """The orders to which nothing happened for so long that they are stalled, if they have not ended."""
        return frozenset(self._idle(self.stalled_before))

    def _idle(self, since: datetime) -> Iterator[str]:
        for order_id in self.orders:
            if self.moved_at[order_id] <= since and order_id not in self.running:
                yield order_id
