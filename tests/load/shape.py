"""The shape of the load: at which rate orders are sent, second by second. Pure.

The rate is raised until the pipeline falls behind. What it ends a second from there on is its capacity, of which every
later stage takes a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

RAMP, STEADY, SPIKE, SOAK = "ramp", "steady", "spike", "soak"
RECOVERY, RECOVERY_OF_SPIKE = "recovery of the ramp", "recovery of the spike"
SOAK_SECONDS = 600.0


@dataclass(frozen=True)
class Stage:
    """A part of the load: which share of the capacity is sent, and for how many seconds.

    One ``until_recovered`` ends before that, once an order takes no longer than at first.
    """

    name: str
    share: float
    seconds: float
    until_recovered: bool = False


@dataclass(frozen=True)
class Plan:
    """Rates in orders a second, times in seconds.

    The ramp begins with ``first``, and every ``step_seconds`` goes up by ``step``. It ends when orders take
    ``behind`` longer than in its first step; or at ``most``, and then the capacity is at least that.
    """

    stages: Sequence[Stage]
    step_seconds: float = 10.0
    first: float = 2.0
    step: float = 1.0
    most: float = 40.0
    behind: float = 5.0


_PLAN = Plan(
    (
        Stage(RECOVERY, 0.3, 120.0, until_recovered=True),
        Stage(STEADY, 0.5, 60.0),
        Stage(SPIKE, 2.0, 20.0),
        Stage(RECOVERY_OF_SPIKE, 0.3, 120.0, until_recovered=True),
        Stage(SOAK, 0.8, SOAK_SECONDS),
    )
)
_LEAST_SECONDS, _LEAST_STEP_SECONDS = 5.0, 4.0


def plan(soak_seconds: float) -> Plan:
    """The plan with a soak of so many seconds; with less than ten minutes, other stages are shorter in proportion."""
    scale = min(1.0, soak_seconds / SOAK_SECONDS)

    def scaled(stage: Stage) -> Stage:
        if stage.name == SOAK:
            return replace(stage, seconds=soak_seconds)
        return stage if stage.until_recovered else replace(stage, seconds=max(_LEAST_SECONDS, stage.seconds * scale))

    return replace(
        _PLAN,
        stages=tuple(map(scaled, _PLAN.stages)),
        step_seconds=max(_LEAST_STEP_SECONDS, _PLAN.step_seconds * scale),
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
    """Takes a load through its plan, from sample to sample: `stage` and `rate` are what to send now."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._later = list(plan.stages)
        self._stage: Stage | None = None
        self._began = 0.0
        self._ramp: list[Sample] = []
        self.rate: float = plan.first
        self.capacity: Capacity | None = None

    @property
    def stage(self) -> str:
        """The name of the stage."""
        return RAMP if self._stage is None else self._stage.name

    def go_on(self, sample: Sample) -> bool:
        """Go on as a sample asks for. False once the plan has ended."""
        if self._stage is None:
            self._climb(sample)
            return True
        recovered = self._stage.until_recovered and self._behind(sample) <= 1.0
        if sample.at - self._began < self._stage.seconds and not recovered:
            return True
        return self._next(sample)

    def _climb(self, sample: Sample) -> None:
        self._ramp.append(sample)
        self.rate = self._plan.first + self._plan.step * (sample.at // self._plan.step_seconds)
        is_behind = sample.at > self._plan.step_seconds and self._behind(sample) > self._plan.behind
        if is_behind or self.rate > self._plan.most:
            self.capacity = Capacity(self._ended_per_second(), at_least=not is_behind)
            self._next(sample)

    def _next(self, sample: Sample) -> bool:
        if not self._later:
            return False
        assert self.capacity is not None
        self._stage, self._began = self._later.pop(0), sample.at
        self.rate = self._stage.share * self.capacity.per_second
        return True

    def _behind(self, sample: Sample) -> float:
        """By how many seconds an order takes longer than in the first step: by Little's law, from the backlog."""
        first = [each for each in self._ramp if self._plan.step_seconds / 2 <= each.at <= self._plan.step_seconds]
        at_first = sum(each.backlog for each in first) / len(first) / self._plan.first if first else 0.0
        return sample.backlog / (self.capacity.per_second if self.capacity else self.rate) - at_first

    def _ended_per_second(self) -> float:
        """Over the last two steps of the ramp."""
        last = self._ramp[-1]
        first = next(each for each in self._ramp if each.at >= last.at - 2 * self._plan.step_seconds)
        return (last.ended - first.ended) / (last.at - first.at)
