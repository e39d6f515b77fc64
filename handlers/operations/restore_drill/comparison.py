"""What is wrong with tables that were restored: with their log by itself, and compared with the audit copy. Pure."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from events.envelope import event_id
from handlers.operations.audit import outcomes
from handlers.operations.audit.table import Place, Table
from handlers.operations.doctor import imbalances, unpublished_events, wrong_views
from handlers.operations.doctor.snapshot import Snapshot
from handlers.table import keys
from handlers.table.keys import Key

_NOBODY = frozenset[str]()
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Difference(NamedTuple):
    """What is wrong, and with what."""

    about: str
    wrong: str


@dataclass(frozen=True)
class Restored:
    """What was read of restored tables, and of the audit copy.

    ``table`` is as it was restored, ``erased`` are the orders that nobody is behind any more, ``persons`` the keys of
    the vault's items. ``copied`` has the places of the events in the copy up to ``settled``, by their ids, and begins
    with ``copied_since``. What occurred after ``settled`` need not show: an event's time is taken before it is
    appended, and views, goods and the copy follow later.
    """

    table: Table
    erased: Set[str]
    persons: Set[Key]
    copied: Mapping[str, Place]
    copied_since: datetime | None
    settled: datetime

    @property
    def snapshot(self) -> Snapshot:
        """The same as the doctor sees it. No order is stalled: nobody knows which sagas ran at that moment."""
        return Snapshot(self.table, self.copied.keys(), _NOBODY, self.settled, _LONG_AGO, self.copied_since)


def differences(restored: Restored) -> Iterator[Difference]:
    """Everything that is wrong: first what is missing, then what does not fit together."""
    snapshot = restored.snapshot
    for key in restored.table.unreadable:
        yield Difference(key, "the event cannot be read: a version that knows its type has to read it")
    unreadable = {_id_of(key) for key in restored.table.unreadable}
    there = {event_id(*place) for place in restored.table.log} | unreadable
    for missing in sorted(restored.copied[each] for each in restored.copied.keys() - there):
        yield Difference("{} version {}".format(*missing), "is in the audit copy, and not in the restored log")
    for stream, records in snapshot.streams.items():
        for finding in outcomes.disorder(stream, records):
            yield Difference(finding.about, finding.wrong)
    yield from _persons(restored, snapshot)
    for module in (unpublished_events, imbalances, wrong_views):
        for problem in module.check(snapshot):
            yield Difference(problem.about, problem.wrong)


def _persons(restored: Restored, snapshot: Snapshot) -> Iterator[Difference]:
    for order_id in sorted(snapshot.settled_orders - restored.erased):
        if keys.person(order_id, snapshot.orders[order_id].customer_id) not in restored.persons:
            yield Difference(f"order {order_id}", "nobody is behind it in the restored vault, and it was never erased")


def _id_of(key: str) -> str:
    """The id of an event that cannot be read, by its key as the table's reading names it."""
    stream, _, sort_key = key.rpartition(" ")
    return event_id(stream, keys.version_of(sort_key))
