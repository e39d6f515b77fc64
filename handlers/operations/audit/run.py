"""What a run published, and what it left behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from handlers.operations.audit.evidence import Evidence
from handlers.operations.audit.published_submission import Submission
from handlers.operations.audit.table import Item


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead-letter message: for whom it was, the detail in it if there is one, and why no retry could handle it."""

    source: str
    detail: Any
    reasons: str


class SentEmail(NamedTuple):
    """An e-mail as SES sent it."""

    message_id: str
    to: str
    subject: str


@dataclass(frozen=True)
class Run(Evidence):
    """What a run published, and what it left behind.

    ``persons`` are the vault's items of persons, by order id; ``rejection_key`` is the key of the content hashes in
    rejections. ``deliveries`` are the ``StockDelivered`` details published; ``bus`` has the ids of the events seen on
    the orders bus; ``emails`` are those sent; ``waiting`` the number of messages left, by queue; ``unfinished_sagas``
    where a saga is that did not succeed, by order id.
    """

    persons: Mapping[str, Item] = field(default_factory=dict)
    rejection_key: bytes = b""
    submissions: Sequence[Submission] = ()
    deliveries: Sequence[Item] = ()
    bus: frozenset[str] = frozenset()
    dead_letters: Sequence[DeadLetter] = ()
    emails: Sequence[SentEmail] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    unfinished_sagas: Mapping[str, str] = field(default_factory=dict)
