"""What the doctor looks at, and what it tells."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from handlers.operations.audit.evidence import Evidence

_OF_AN_ORDER = frozenset({"order", "rejection", "cancellation", "reservation", "payment", "shipment"})


class Mend(NamedTuple):
    """A command that mends something, or shows what a person has to look into, and what it is given."""

    command: str
    about: str


@dataclass(frozen=True, slots=True)
class Ailment:
    """Something that is not well: what it is about, what is wrong with that, and what mends it, if a command does."""

    about: str
    wrong: str
    mend: Mend | None = None


@dataclass(frozen=True)
class Look(Evidence):
    """The table as it was read, and what belongs to it.

    ``published`` has the ids of the events in the audit copy, which begins with ``copied_since``; ``running`` the ids
    of the orders that have a saga running. Nothing is expected yet of what happened after ``settled``, nor of an order
    to which something happened after ``still``.
    """

    published: Set[str]
    running: Set[str]
    settled: datetime
    still: datetime
    copied_since: datetime | None = None

    @cached_property
    def moved_at(self) -> Mapping[str, datetime]:
        """When something last happened to each order, on whatever stream; to one that was refused, too."""
        moved: dict[str, datetime] = {}
        for stream, records in self.streams.items():
            kind, _, rest = stream.partition("#")
            if kind in _OF_AN_ORDER:
                order_id = rest.partition("#")[0]  # a rejection's stream goes on
                at = records[-1].metadata.occurred_at
                moved[order_id] = max(at, moved.get(order_id, at))
        return moved

    @cached_property
    def settled_orders(self) -> frozenset[str]:
        """The orders to which nothing happened for a while, and for which no saga runs."""
        return frozenset(self._resting(self.settled))

    @cached_property
    def still_orders(self) -> frozenset[str]:
        """The orders to which nothing happened for longer, and for which no saga runs."""
        return frozenset(self._resting(self.still))

    def _resting(self, since: datetime) -> Iterator[str]:
        for order_id in self.orders:
            if self.moved_at[order_id] <= since and order_id not in self.running:
                yield order_id
