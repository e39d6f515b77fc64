"""The submissions of a run, and how each has ended, as the events on the orders bus say."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.operations.audit.published_submission import Key, Submission, distinct
from handlers.operations.audit.run import DeadLetter
from handlers.operations.audit.table import Item
from infra.names import DEMO_SHOP

CONFIRMED = "CONFIRMED"
CANCELLED = "CANCELLED"
REJECTED = "REJECTED"
DEAD_LETTER = "DEAD_LETTER"
STATUSES = (CONFIRMED, CANCELLED, REJECTED, DEAD_LETTER)

_OUTCOMES = {"OrderConfirmed": CONFIRMED, "OrderCancelled": CANCELLED}


@dataclass(frozen=True, slots=True)
class Result:
    """What a submission ended as, why, and when. One that is a dead-letter message has no time."""

    status: str
    reason: str | None = None
    at: datetime | None = None


class Progress:
    """How far the submissions of a run are."""

    def __init__(self, submissions: Sequence[Submission], rejection_key: bytes) -> None:
        self.submissions = distinct(submissions)
        self._rejected_as = {(each.order_id, each.content_hash(rejection_key)): each.key for each in self.submissions}
        self._valid: dict[str | None, set[Key]] = defaultdict(set)
        for each in self.submissions:
            if each.order is not None:
                self._valid[each.order_id].add(each.key)
        self.results: dict[Key, Result] = {}
        self.event_ids: set[str] = set()
        self.placed: set[str] = set()
        self._outcomes: dict[str, Result] = {}
        self._received: Counter[str] = Counter()
        self._chunks: dict[str, int] = {}
        self._without_id = {each.key: each for each in self.submissions if each.order_id is None}

    @property
    def open(self) -> list[Submission]:
        """The submissions that have not ended."""
        return [each for each in self.submissions if each.key not in self.results]

    def has_received(self, delivery_id: str) -> bool:
        """Whether all of a delivery is in stock."""
        return self._received[delivery_id] == self._chunks.get(delivery_id)

    def add_events(self, events: Iterable[Item]) -> bool:
        """Apply events of the orders bus. Returns whether one of them was new."""
        before = len(self.event_ids)
        for event in events:
            detail = event["detail"]
            if detail["metadata"]["event_id"] not in self.event_ids:
                self.event_ids.add(detail["metadata"]["event_id"])
                at = datetime.fromisoformat(detail["metadata"]["occurred_at"])
                self._apply(event["detail-type"], detail["data"], at)
        return len(self.event_ids) > before

    def add_dead_letters(self, messages: Iterable[DeadLetter]) -> None:
        """Apply dead-letter messages."""
        for message in messages:
            key = Submission(DEMO_SHOP, message.detail).key if isinstance(message.detail, dict) else None
            if key in self._without_id:
                self.results[key] = Result(DEAD_LETTER, message.reasons)

    def count(self, status: str) -> int:
        """How many submissions ended like that."""
        return sum(result.status == status for result in self.results.values())

    def _apply(self, name: str, data: Item, at: datetime) -> None:
        if name == "StockReceived":
            self._received[data["delivery_id"]] += 1
            self._chunks[data["delivery_id"]] = data["chunks"]
        elif name == "OrderRejected":
            key = self._rejected_as.get((data["order_id"], data["content_hash"]))
            if key is not None:  # else it is not of this run
                self.results[key] = Result(REJECTED, _in_short(data), at)
                self._end(data["order_id"])
        elif name == "OrderPlaced":
            self.placed.add(data["order_id"])
        elif name in _OUTCOMES:
            self._outcomes[data["order_id"]] = Result(_OUTCOMES[name], data.get("reason"), at)
            self._end(data["order_id"])

    def _end(self, order_id: str) -> None:
        """Say of an order's submission what it ended as.

        The content of an order that was placed cannot be told from its events: of several valid submissions of an id,
        it is the one that was not rejected.
        """
        outcome = self._outcomes.get(order_id)
        known = self.results
        placed = [key for key in self._valid[order_id] if key not in known or known[key].status != REJECTED]
        if outcome and len(placed) == 1:
            known[placed[0]] = outcome


def _in_short(rejected: Item) -> str:
    """The first reason of a rejection, the same for the same mistake in whatever line of whatever order."""
    first = rejected["reasons"][0]
    field = re.sub(r"(?<=\.)\d+(?=\.|$)", "n", first["field"])
    return f"{field}: {first['message']}" if field else str(first["message"])
