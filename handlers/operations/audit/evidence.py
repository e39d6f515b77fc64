"""What the audit and the doctor check: the table, and questions to the log in it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderCancelled, OrderConfirmed, OrderPlaced
from events.privacy import CustomerErased
from handlers.operations.audit.table import Table


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold: which invariant it breaks, what it is about, and what is wrong with that."""

    invariant: int
    about: str
    wrong: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.about}: {self.wrong}"


@dataclass(frozen=True)
class Evidence:
    """The table as it was read, and what its log says."""

    table: Table

    @cached_property
    def streams(self) -> Mapping[str, Sequence[Recorded]]:
        """The log, stream by stream, each in order of version."""
        by_stream: dict[str, list[Recorded]] = defaultdict(list)
        for (stream, _), record in sorted(self.table.log.items(), key=lambda entry: entry[0]):
            by_stream[stream].append(record)
        return by_stream

    @cached_property
    def orders(self) -> Mapping[str, OrderPlaced]:
        """The orders placed, by id."""
        placed = (record.event for _, record in self.of("order"))
        return {event.order_id: event for event in placed if isinstance(event, OrderPlaced)}

    def of(self, kind: str) -> Iterator[tuple[str, Recorded]]:
        """Every event of one kind of stream, with the stream's name."""
        for stream, records in self.streams.items():
            if stream.partition("#")[0] == kind:
                yield from ((stream, record) for record in records)

    def events(self, kind: str, order_id: str) -> list[DomainEvent]:
        """The events of one of an order's streams."""
        return [record.event for record in self.streams.get(f"{kind}#{order_id}", ())]

    def outcome(self, order_id: str) -> Recorded | None:
        """The event that confirmed an order, or cancelled it, confirmed or not; none of one that is being cancelled."""
        last = self.streams.get(f"order#{order_id}", ())[-1:]
        return next((record for record in last if isinstance(record.event, OrderConfirmed | OrderCancelled)), None)

    def outcomes(self, order_id: str) -> list[Recorded]:
        """The events that a customer is notified of: a confirmed order may be cancelled after that."""
        records = self.streams.get(f"order#{order_id}", ())
        return [record for record in records if isinstance(record.event, OrderConfirmed | OrderCancelled)]

    @cached_property
    def unfinished(self) -> frozenset[str]:
        """The ids of the orders without an outcome."""
        return frozenset(order_id for order_id in self.orders if self.outcome(order_id) is None)

    @cached_property
    def erased(self) -> frozenset[str]:
        """The ids of the orders whose personal data is erased."""
        erasures = (record.event for _, record in self.of("erasure"))
        return frozenset(each.order_id for each in erasures if isinstance(each, CustomerErased) and each.order_id)

    def is_confirmed(self, order_id: str) -> bool:
        """Whether the log has the order confirmed, and not cancelled since."""
        outcome = self.outcome(order_id)
        return outcome is not None and isinstance(outcome.event, OrderConfirmed)
