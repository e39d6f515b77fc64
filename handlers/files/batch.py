"""What becomes of the orders of a file, decided batch by batch: submitted to order intake, or rejected."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from handlers.files.check import rejected
from handlers.files.progress import Rejection
from handlers.files.reader import FileOrder, Position, Reason
from handlers.intake.validation import canonical

_MESSAGE_IDS = UUID("3d8e2c52-6a39-4a8b-9e0e-5f7a1c0b2d44")
_USABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,47}")
# SQS does not accept these characters, and JSON needs them nowhere but in strings.
_ESCAPED = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order of the file, decided as far as it can be by itself: its message, or the reasons against it.

    ``rows`` are its first and its last row; ``end`` is where the next order begins.
    """

    order_id: str | None
    rows: tuple[int, int]
    reasons: Sequence[Reason]
    body: str
    end: Position

    @property
    def identifiable(self) -> bool:
        """Whether the order can be recognized when it returns. One without a usable id is rejected in any case."""
        return self.order_id is not None and _USABLE_ID.fullmatch(self.order_id) is not None


@dataclass(slots=True)
class BatchDecision:
    """What becomes of a batch.

    ``bodies`` are the messages to send, ``first_rows`` the rows in which orders begin that appear for the first time;
    ``accepted`` and ``rejections`` go into the report.
    """

    bodies: list[str] = field(default_factory=list)
    first_rows: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    rejections: list[Rejection] = field(default_factory=list)


def candidate(order: FileOrder, import_id: str, folder: str) -> Candidate:
    """The order, decided by itself. Its message names the folder of the file; the message's id never changes."""
    reasons = rejected(order)
    event = {
        "id": str(uuid5(_MESSAGE_IDS, f"{import_id}/{order.order_id}")),
        "detail-type": "OrderSubmitted",
        "folder": folder,
        "detail": order.detail,
    }
    body = "" if reasons else canonical(event).translate(_ESCAPED)
    return Candidate(order.order_id, (order.first_row, order.last_row), reasons, body, order.end)


def decide_batch(batch: Iterable[Candidate], marked: Mapping[str, int]) -> BatchDecision:
    """Decide a batch; ``marked`` are the rows in which those of its orders began that appeared before.

    An order that began in another row returns, and is rejected. One that began in the same row appeared before a crash:
    it has been sent already.
    """
    decision = BatchDecision()
    for each in batch:
        first_row = None
        if each.order_id is not None and each.identifiable:
            first_row = marked.get(each.order_id, decision.first_rows.get(each.order_id))
            if first_row is None:
                decision.first_rows[each.order_id] = each.rows[0]
        if first_row is not None and first_row != each.rows[0]:
            returns = Reason(f"returns to the order that began in row {first_row}", each.rows[0])
            decision.rejections.append(Rejection.of(each.order_id, each.rows, [returns]))
        elif each.reasons:
            decision.rejections.append(Rejection.of(each.order_id, each.rows, each.reasons))
        else:
            decision.accepted += 1
            if first_row is None:
                decision.bodies.append(each.body)
    return decision
