"""Submissions of orders, as a run publishes them, and what the intake makes of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from events.ordering import OrderPlaced, OrderRejected
from handlers.intake.validation import Refused, canonical
from handlers.ordering import submission

Key = tuple[str | None, str]
"""An order id, None where it is not usable, and a content hash: what tells one submission from another."""


@dataclass(frozen=True)
class Submission:
    """An ``OrderSubmitted`` as it is published: ``detail`` is any JSON, valid or not.

    ``expected`` is what it must end as (``CONFIRMED``, a reason to cancel, ``REJECTED``, ``DEAD_LETTER``), where that
    is known beforehand.
    """

    detail: Mapping[str, Any]
    expected: str | None = None

    @cached_property
    def decided(self) -> OrderPlaced | OrderRejected | None:
        """What the intake makes of it, if it is the first of its order id; None where that is a dead letter."""
        try:
            return submission.decide(self.detail)
        except Refused:
            return None

    @cached_property
    def key(self) -> Key:
        """Which submission it is: the same for the same content, however often it is published."""
        if self.decided is None:
            return None, submission.content_hash(canonical(self.detail))
        return self.decided.order_id, self.decided.content_hash

    @property
    def lines(self) -> Sequence[Any]:
        """Its lines, as far as it has any."""
        lines = self.detail.get("lines")
        return lines if isinstance(lines, Sequence) else ()


def distinct(submissions: Sequence[Submission]) -> list[Submission]:
    """Each submission once, in the order of first appearance."""
    first: dict[Key, Submission] = {}
    for each in submissions:
        first.setdefault(each.key, each)
    return list(first.values())
