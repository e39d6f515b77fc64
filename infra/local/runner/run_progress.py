"""The submissions of a run, and how each has ended, as the events on the orders bus say."""

import re
from collections import Counter
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

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = distinct(submissions)
        self.results: dict[Key, Result] = {}
        self.event_ids: set[str] = set()
        self.placed: dict[str, str] = {}
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
            self.results[data["order_id"], data["content_hash"]] = Result(REJECTED, _in_short(data), at)
        elif name == "OrderPlaced" or name in _OUTCOMES:
            order_id = data["order_id"]
            if name == "OrderPlaced":
                self.placed[order_id] = data["content_hash"]
            else:
                self._outcomes[order_id] = Result(_OUTCOMES[name], data.get("reason"), at)
            # Either may come first.
            if order_id in self.placed and order_id in self._outcomes:
                self.results[order_id, self.placed[order_id]] = self._outcomes[order_id]


def _in_short(rejected: Item) -> str:
    """The first reason of a rejection, the same for the same mistake in whatever line of whatever order."""
    first = rejected["reasons"][0]
    field = re.sub(r"(?<=\.)\d+(?=\.|$)", "n", first["field"])
    return f"{field}: {first['message']}" if field else str(first["message"])
