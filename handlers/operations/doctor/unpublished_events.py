"""Events that were appended and never published: in the log, and not in the audit copy."""

from collections.abc import Iterator
from datetime import datetime

from events import streams
from handlers.operations.doctor.problem import Kind, Problem, Repair
from handlers.operations.doctor.snapshot import Snapshot


def check(snapshot: Snapshot) -> Iterator[Problem]:
    """Events of published streams that did not cross the orders bus, though they are old enough and there is a copy."""
    for stream, records in snapshot.streams.items():
        if not streams.is_published(stream):
            continue
        for record in records:
            if record.event_id not in snapshot.published and _expected(snapshot, record.metadata.occurred_at):
                about = f"{stream} version {record.version}"
                wrong = f"{type(record.event).__name__} was appended, and never published"
                yield Problem(Kind.UNPUBLISHED_EVENT, about, wrong, Repair("republish", stream))


def _expected(snapshot: Snapshot, occurred_at: datetime) -> bool:
    """Whether what occurred then should be in the copy: not before the copy was begun, nor just now."""
    since = snapshot.copied_since
    return (since is None or since <= occurred_at) and occurred_at <= snapshot.settled_before
