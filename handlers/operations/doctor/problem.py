"""A problem, and what repairs it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What problems there are, as people read it."""

    UNREADABLE_EVENT = "events that cannot be read"
    UNPUBLISHED_EVENT = "events that were never published"
    WRONG_VIEW = "order views that differ from the log"
    WRONG_COUNTER = "counting views that differ from the log"
    STALLED_ORDER = "stalled orders"
    UNBALANCED_ORDER = "orders whose money or goods do not balance"
    WRONG_LEVEL = "stock levels that differ from the log"


class Repair(NamedTuple):
    """An operation that repairs something, or shows what a person has to check, and its argument."""

    command: str
    argument: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: its kind, what it is about, what is wrong with that, and the repair if there is one."""

    kind: Kind
    about: str
    wrong: str
    repair: Repair | None = None
