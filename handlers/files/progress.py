"""How far an import is, and its report: what became of every order of the file."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.files.reader import BEGINNING, Position, Reason

MAX_LISTED = 10_000
"""How many rejected orders a report lists; it counts them all."""
MAX_REASONS = 10
"""How many reasons it lists of each."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An order that was not submitted: its first and last row, and the first of the reasons."""

    order_id: str | None
    rows: tuple[int, int]
    reasons: tuple[Reason, ...]
    reason_count: int

    @classmethod
    def of(cls, order_id: str | None, rows: tuple[int, int], reasons: Sequence[Reason]) -> "Rejection":
        """The rejection for these reasons."""
        return cls(order_id, rows, tuple(reasons[:MAX_REASONS]), len(reasons))


@dataclass(slots=True)
class Progress:
    """What an import has done so far: its checkpoint."""

    started_at: str
    position: Position = BEGINNING
    accepted: int = 0
    rejected_count: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, rejection: Rejection) -> None:
        """Count an order that was not submitted, and list it while there is room."""
        self.rejected_count += 1
        if len(self.rejected) < MAX_LISTED:
            self.rejected.append(rejection)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file. ``error`` says why it was not read to its end, if it was not.

    ``rows`` is how many were read, the header not counted. An accepted order is one that was submitted to order intake.
    """

    file: str
    version: str
    started_at: str
    finished_at: str
    rows: int
    accepted: int
    rejected_count: int
    rejected: Sequence[Rejection]
    error: str | None
