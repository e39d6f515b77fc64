"""The shape of the load: at which rate orders are sent, second by second. Pure.

The rate is raised until the pipeline falls behind. The most that it ended a second on the way is its capacity, of which
every later stage takes a share. What it ends while it is far behind is less: sagas that find functions busy come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

WARM_UP, RAMP, STEADY, SPIKE, SOAK = "warm-up", "ramp", "steady", "spike", "soak"
RECOVERY, RECOVERY_OF_SPIKE = "recovery of the ramp", "recovery of the spike"
SOAK_SECONDS = 600.0
RECOVERED_WITHIN_SECONDS = 120.0


@dataclass(frozen=True)
class Stage:
    """A part of the load: which share of the capacity is sent, and for how many seconds.

    One ``until_recovered`` ends before that, once an order takes no longer than in the warm-up.
    """

    name: str
    share: float
    seconds: float
    until_recovered: bool = False


@dataclass(frozen=True)
class Plan:
    """Rates in orders a second, times in seconds.

    After the warm-up the ramp begins with ``first``, and every ``step_seconds`` goes up by ``step``, until orders take
    ``behind`` longer than in the warm-up, or ``most`` is reached.
    """

    stages: Sequence[Stage]
    warm_up_seconds: float = 20.0
    step_seconds: float = 10.0
    first: float = 2.0
    step: float = 1.0
    most: float = 40.0
    behind: float = 4.0


_PLAN = Plan(
    (
        Stage(RECOVERY, 0.3, RECOVERED_WITHIN_SECONDS, until_recovered=True),
        Stage(STEADY, 0.5, 60.0),
        Stage(SPIKE, 2.0, 20.0),
        Stage(RECOVERY_OF_SPIKE, 0.3, RECOVERED_WITHIN_SECONDS, until_recovered=True),
        Stage(SOAK, 0.8, SOAK_SECONDS),
    )
)
_SHORTEST_SECONDS = 5.0


def plan(soak_seconds: float) -> Plan:
    """The plan with a soak of so many seconds; with less than ten minutes, other stages are shorter in proportion."""
    scale = min(1.0, soak_seconds / SOAK_SECONDS)

    def scaled(seconds: float) -> float:
        return max(_SHORTEST_SECONDS, seconds * scale)

    stages = (
        stage
        if stage.until_recovered
        else replace(stage, seconds=soak_seconds if stage.name == SOAK else scaled(stage.seconds))
        for stage in _PLAN.stages
    )
    return replace(
        _PLAN,
        stages=tuple(stages),
        warm_up_seconds=max(10.0, scaled(_PLAN.warm_up_seconds)),
        step_seconds=scaled(_PLAN.step_seconds),
    )


@dataclass(frozen=True)
class Sample:
    """How far it is: seconds since the beginning, and how many orders were accepted and have ended until then."""

    at: float
    accepted: int
    ended: int

    @property
    def backlog(self) -> int:
        """The orders that are under way."""
        return self.accepted - self.ended


@dataclass(frozen=True)
class Capacity:
    """How many orders a second the pipeline ends, or more than that where it never fell behind (``at_least``)."""

    per_second: float
    at_least: bool


class Course:
    """Takes a load through its plan, from sample to sample: ``stage`` and ``rate`` are what to send now."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._later = list(plan.stages)
        self._began = Sample(0.0, 0, 0)
        self._warm: list[Sample] = []
        self._climbed: list[Sample] = []
        self._ends_at = plan.warm_up_seconds
        self._until_recovered = False
        self.stage = WARM_UP
        self.rate = plan.first
        self.capacity: Capacity | None = None

    def go_on(self, sample: Sample) -> bool:
        """Go on as a sample asks for. False once the plan has ended."""
        if self.stage == WARM_UP:
            self._warm_up(sample)
        elif self.stage == RAMP:
            self._climb(sample)
        elif sample.at >= self._ends_at or (self._until_recovered and self._behind(sample) <= 1.0):
            return self._next(sample)
        return True

    def _warm_up(self, sample: Sample) -> None:
        if sample.at >= self._ends_at / 2:
            self._warm.append(sample)
        if sample.at >= self._ends_at:
            self._begin(RAMP, sample, self.rate)

    def _climb(self, sample: Sample) -> None:
        self._climbed.append(sample)
        rate = self._plan.first + self._plan.step * ((sample.at - self._began.at) // self._plan.step_seconds)
        is_behind = self._behind(sample) > self._plan.behind
        if is_behind or rate > self._plan.most:
            self.capacity = Capacity(self._most_per_second(), at_least=not is_behind)
            self._next(sample)
        else:
            self.rate = rate

    def _most_per_second(self) -> float:
        """The highest rate at which orders ended for the time of two steps."""
        seconds, samples = 2 * self._plan.step_seconds, self._climbed
        pairs = ((first, next((each for each in samples if each.at >= first.at + seconds), None)) for first in samples)
        rates = [(last.ended - first.ended) / (last.at - first.at) for first, last in pairs if last]
        return max(rates, default=self._plan.first)

    def _next(self, sample: Sample) -> bool:
        if not self._later:
            return False
        assert self.capacity is not None
        stage = self._later.pop(0)
        self._begin(stage.name, sample, stage.share * self.capacity.per_second, stage.seconds)
        self._until_recovered = stage.until_recovered
        return True

    def _begin(self, stage: str, sample: Sample, rate: float, seconds: float = 0.0) -> None:
        self.stage, self.rate, self._began, self._ends_at = stage, rate, sample, sample.at + seconds

    def _behind(self, sample: Sample) -> float:
        """By how many seconds an order takes longer than in the warm-up: by Little's law, from the backlog."""
        usual = sum(each.backlog for each in self._warm) / len(self._warm) / self._plan.first
        return sample.backlog / (self.capacity.per_second if self.capacity else self.rate) - usual
