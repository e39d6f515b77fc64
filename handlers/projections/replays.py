"""Replays: archived events delivered again, and what a replay is for, which its name says.

EventBridge can limit a replay to some rules, but not to a generation; and a replay's name comes with every event of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

EVERYBODY = "all"
KEPT = timedelta(days=365)
"""How long the archive keeps events."""

ARCHIVE_LAG = timedelta(minutes=10)
"""How long to wait until an event is surely in the archive.

Source: Amazon EventBridge User Guide, "Archiving and replaying events", which recommends to wait for that time.
"""

_REPLAY, _REBUILD = "replay", "rebuild"


class ReplayTarget(NamedTuple):
    """What a replay is for: one projection, or every one; and one generation of it, or each that is updated."""

    projection: str | None = None
    generation: str | None = None


def for_replay(projection: str | None, unique: str) -> str:
    """The name of a replay for a projection, or for every one. ``unique`` distinguishes it from others."""
    return f"{_REPLAY}.{projection or EVERYBODY}.{unique}"


def for_rebuild(projection: str, generation: str) -> str:
    """The name of the replay into a generation that is being built."""
    return f"{_REBUILD}.{projection}.{generation}"


def target_of(name: str) -> ReplayTarget:
    """What a replay of that name is for. One that somebody started by hand is for every projection."""
    kind, *parts = name.split(".")
    if kind == _REPLAY and len(parts) == 2 and parts[0] != EVERYBODY:
        return ReplayTarget(parts[0])
    if kind == _REBUILD and len(parts) == 2:
        return ReplayTarget(*parts)
    return ReplayTarget()


def rule(bus: str, function: str) -> str:
    """The ARN of the rule that feeds a function of projections from the bus of that ARN.

    A replay for one of them needs no other. It reaches all of them, and is applied to the one that its name says.
    """
    return f"{bus.replace(':event-bus/', ':rule/', 1)}/{function}"
