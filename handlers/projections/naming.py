"""Finding a projection by its name, which is that of its module in this package."""

from __future__ import annotations

from importlib import import_module, util

from events.store import EventStore
from handlers.projections.projection import Projection

_PACKAGE = __name__.rpartition(".")[0]


class UnknownProjection(Exception):
    """There is no projection of that name."""


def named(name: str, store: EventStore) -> Projection:
    """The projection of that name, on the table of the event store.

    Raises:
        UnknownProjection: there is none.
    """
    if name.isidentifier() and util.find_spec(f"{_PACKAGE}.{name}"):
        make = getattr(import_module(f"{_PACKAGE}.{name}"), "projection", None)
        if make is not None:
            projection: Projection = make(store)
            return projection
    raise UnknownProjection(f"there is no projection {name!r}")
