"""Events that were appended and never published: in the log, and not in the audit copy."""

from collections.abc import Iterator
from datetime import datetime

from events import streams
from handlers.operations.doctor.look import Ailment, Look, Mend


def check(look: Look) -> Iterator[Ailment]:
    """Events of published streams, older than the grace, that did not cross the orders bus since there is a copy."""
    for stream, records in look.streams.items():
        if not streams.is_published(stream):
            continue
        for record in records:
            if record.event_id not in look.published and _expected(look, record.metadata.occurred_at):
                told = f"{type(record.event).__name__} was appended, and never published"
                yield Ailment(f"{stream} version {record.version}", told, Mend("republish", stream))


def _expected(look: Look, occurred_at: datetime) -> bool:
    """Whether what occurred then should be in the copy: not before the copy was begun, nor just now."""
    return (look.copied_since is None or look.copied_since <= occurred_at) and occurred_at <= look.settled
