"""What comes over the orders bus during a run, and where that leaves each submission."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from handlers.operations.audit.run import DeadLetter
from handlers.operations.audit.submission import Key, Submission, distinct
from handlers.operations.audit.table import Item
from handlers.operations.temporary_queue import open_queue
from infra.local.runner.evidence import drain

if TYPE_CHECKING:
    from infra.local.pipeline import Pipeline

CONFIRMED = "CONFIRMED"
CANCELLED = "CANCELLED"
REJECTED = "REJECTED"
DEAD_LETTER = "DEAD_LETTER"
STATUSES = (CONFIRMED, CANCELLED, REJECTED, DEAD_LETTER)

_NAME = "local-run-capture"
_OUTCOMES = {"OrderConfirmed": CONFIRMED, "OrderCancelled": CANCELLED}


class Capture:
    """A queue of its own that gets everything on the orders bus, from now on; it goes when the emulator goes."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._sqs = pipeline.client("sqs")
        pattern = {"source": [{"prefix": "orders."}]}
        self._url = open_queue(pipeline.client("events"), self._sqs, pipeline.orders_bus, _NAME, pattern)

    def take(self) -> list[Item]:
        """The EventBridge events that came since the last call."""
        return [json.loads(message["Body"]) for message in drain(self._sqs, self._url)]


@dataclass(frozen=True, slots=True)
class Result:
    """What a submission ended as, why, and when; a dead letter has no time of its own."""

    status: str
    reason: str | None = None
    at: datetime | None = None


class Progress:
    """Where the submissions of a run stand."""

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = distinct(submissions)
        self.results: dict[Key, Result] = {}
        self.event_ids: set[str] = set()
        self.placed: dict[str, str] = {}
        self._outcomes: dict[str, Result] = {}
        self._received: Counter[str] = Counter()
        self._chunks: dict[str, int] = {}
        self._dead = {each.key: each for each in self.submissions if each.decided is None}

    @property
    def open(self) -> list[Submission]:
        """The submissions that have not ended."""
        return [each for each in self.submissions if each.key not in self.results]

    def has_received(self, delivery_id: str) -> bool:
        """Whether all of a delivery is on the shelf."""
        return self._received[delivery_id] == self._chunks.get(delivery_id)

    def events(self, events: Iterable[Item]) -> bool:
        """Take events of the orders bus in; returns whether there was one that was not known."""
        before = len(self.event_ids)
        for event in events:
            detail = event["detail"]
            if detail["metadata"]["event_id"] not in self.event_ids:
                self.event_ids.add(detail["metadata"]["event_id"])
                at = datetime.fromisoformat(detail["metadata"]["occurred_at"])
                self._event(event["detail-type"], detail["data"], at)
        return len(self.event_ids) > before

    def dead_letters(self, letters: Iterable[DeadLetter]) -> None:
        """Take dead letters in."""
        for letter in letters:
            key = Submission(letter.detail).key if isinstance(letter.detail, dict) else None
            if key in self._dead:
                self.results[key] = Result(DEAD_LETTER, letter.reasons)

    def count(self, status: str) -> int:
        """How many submissions ended like that."""
        return sum(result.status == status for result in self.results.values())

    def _event(self, name: str, data: Item, at: datetime) -> None:
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
