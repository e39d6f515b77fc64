"""What a simulation came to: times to the outcome, and the backlog over time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from statistics import quantiles
from typing import Any

from infra.planning.simulation.scenarios import Scenario

SHARES = (50, 95, 99)
"""The percentiles that are told."""


@dataclass(frozen=True)
class Sample:
    """What was there at a second: orders without an outcome, and records that wait for each function."""

    at: float
    orders: int
    waiting: Mapping[str, int]


@dataclass(frozen=True)
class Result:
    """What a simulation came to.

    Attributes:
        seconds_to_outcome: of each order that had one, from its submission, shortest first.
        submitted: how many orders there were.
        cancelled: how many of them were cancelled, since an outside service was not to be had.
        handed_over: how often the express lane handed an order over to the saga.
        samples: one for each second.
        took: seconds from the first submission to the last outcome.
    """

    scenario: Scenario
    submitted: int
    cancelled: int
    handed_over: int
    seconds_to_outcome: Sequence[float]
    samples: Sequence[Sample]
    took: float

    @property
    def open(self) -> int:
        """Orders that have no outcome after all that time."""
        return self.submitted - len(self.seconds_to_outcome)

    @property
    def orders_per_second(self) -> float:
        """Orders that had an outcome, a second."""
        return len(self.seconds_to_outcome) / self.took if self.took else 0.0

    def percentile(self, share: int) -> float:
        """The seconds to the outcome that so many of a hundred orders do not exceed; 0, where none had one."""
        seconds = self.seconds_to_outcome
        if len(seconds) < 2:
            return sum(seconds)
        return quantiles(seconds, n=100, method="inclusive")[share - 1]

    def backlog(self, function: str | None = None) -> list[tuple[float, int]]:
        """How much waited at each second: orders without an outcome, or a function's records."""
        return [(each.at, each.waiting[function] if function else each.orders) for each in self.samples]

    def gone_after(self, function: str | None = None) -> float | None:
        """How many seconds after all was well again the backlog was no larger than before; None, if it stayed.

        0 where it was never larger.
        """
        before = calm(self.backlog(function), self.scenario)
        larger = [at for at, waiting in self.backlog(function) if at >= self.scenario.since and waiting > before]
        if not larger:
            return 0.0
        last = self.samples[-1].at
        return None if larger[-1] == last else max(0.0, larger[-1] - self.scenario.until)

    def document(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        functions = self.samples[0].waiting if self.samples else {}
        return {
            "about": self.scenario.about,
            "submitted": self.submitted,
            "cancelled": self.cancelled,
            "handed_over": self.handed_over,
            "open": self.open,
            "outcomes_per_second": self.orders_per_second,
            "seconds_to_outcome": {f"p{share}": self.percentile(share) for share in SHARES},
            "seconds_until_backlog_is_gone": {
                "orders": self.gone_after(),
                **{function: self.gone_after(function) for function in functions},
            },
            "backlog": [{"at": each.at, "orders": each.orders, "waiting": each.waiting} for each in self.samples],
        }


def calm(backlog: Sequence[tuple[float, int]], scenario: Scenario) -> int:
    """What waits while all is well, at most: half as much again as was seen before, since that is random."""
    settled = dropwhile(lambda each: each[0] < scenario.since / 2, backlog)
    return round(1.5 * max((waiting for at, waiting in settled if at < scenario.since), default=0)) + 1
