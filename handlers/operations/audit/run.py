"""What a run published, and what it left behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.submission import Submission
from handlers.operations.audit.table import Item


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead-letter message: for whom it was, the detail in it if there is one, and why no retry could handle it."""

    source: str
    detail: Any
    reasons: str


@dataclass(frozen=True)
class Run(Evidence):
    """What a run published, and what it left behind.

    ``deliveries`` are the ``StockDelivered`` details published; ``bus`` has the ids of the events seen on the orders
    bus; ``emails`` the message id of each e-mail sent; ``waiting`` the number of messages left, by queue;
    ``unfinished_sagas`` where a saga is that did not end well, by order id.
    """

    submissions: Sequence[Submission] = ()
    deliveries: Sequence[Item] = ()
    bus: frozenset[str] = frozenset()
    dead_letters: Sequence[DeadLetter] = ()
    emails: Sequence[str] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    unfinished_sagas: Mapping[str, str] = field(default_factory=dict)
