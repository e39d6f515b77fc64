"""Upcasting: events written under an older schema are brought up to today's when they are read.

The log is never rewritten. To change an event's schema: raise the model's ``schema_version`` and add the step from the
version before to :data:`UPCASTERS`.
"""

from collections.abc import Callable
from typing import Any

Data = dict[str, Any]

UPCASTERS: dict[tuple[str, int], Callable[[Data], Data]] = {}
"""``(type, n)`` to the function that turns data of schema version n into version n + 1."""


def upcast(event_type: str, schema_version: int, data: Data, to_version: int) -> Data:
    """Data of an event as ``to_version`` of its schema would have it.

    Raises:
        LookupError: there is no step from one of the versions between; or the event is newer than this code.
    """
    if schema_version > to_version:
        raise LookupError(
            f"{event_type} has schema version {schema_version}, this code knows up to {to_version}: deploy newer code"
        )
    for version in range(schema_version, to_version):
        step = UPCASTERS.get((event_type, version))
        if step is None:
            raise LookupError(f"no upcaster takes {event_type} from schema version {version} to {version + 1}")
        data = step(data)
    return data
