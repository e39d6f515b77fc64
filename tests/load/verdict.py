"""What was measured, and what of it is not as it has to be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from infra.local.runner.order_run import percentile
from tests.load.memory import Growth, together
from tests.load.records import CUT_OFF, Sent, Tick
from tests.load.shape import RECOVERED_WITHIN_SECONDS, RECOVERY_OF_SPIKE, SOAK, SPIKE, STEADY, Capacity

GROWS_AT_MOST = 500.0
"""KB in 1,000 calls. A function has 512 MB and takes about 50: at that rate the rest lasts for 900,000 calls, which at
100 ms each are a day without a pause, and Lambda replaces an execution environment every few hours.

It cannot be nothing. A runtime puts the trace of each call into the environment, and glibc keeps every value: some 120
bytes a call, on AWS too. Caches of strings are still filling; pydantic's has 16,384.

Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

_KEEPS_UP = _TIME_IS_OVER = 0.95
_BEHIND_SECONDS = 5.0
_SHOWN = 5
_SECONDS_THAT_TELL = 299.0
_CALLS_THAT_TELL = 1_000
"""In its first calls a process still loads what it needs."""


@dataclass(frozen=True)
class StageFigures:
    """A stage: its seconds; orders sent, accepted and ended in it, and a second; the backlog at most and at its end.

    ``answered_ms`` and ``took_seconds`` are of orders sent in it, by percentile, the first by door: until the answer,
    and until the outcome.
    """

    name: str
    seconds: float
    sent: int
    accepted: int
    ended: int
    asked_per_second: float
    highest_backlog: int
    last_backlog: int
    answered_ms: Mapping[str, Mapping[str, float]]
    took_seconds: Mapping[str, float]

    @property
    def accepted_per_second(self) -> float:
        """The rate at which orders came in."""
        return self.accepted / self.seconds

    @property
    def ended_per_second(self) -> float:
        """The rate at which orders ended."""
        return self.ended / self.seconds


@dataclass(frozen=True)
class Measured:
    """All that is known after a load; what is None or empty was not measured.

    ``waiting``, ``lost``, ``different`` and ``findings`` are those of `outcome.Outcome`; None where it did not come to
    that. ``emulator_kb_per_order`` is what the emulator's memory grew by in the soak.
    """

    stages: Sequence[StageFigures]
    capacity: Capacity | None
    drained_seconds: float | None = None
    waiting: Mapping[str, int] | None = None
    lost: Sequence[str] | None = None
    different: Sequence[str] | None = None
    findings: Sequence[str] | None = None
    memory: Mapping[str, Growth] = field(default_factory=dict)
    emulator_kb_per_order: float | None = None
    notes: Sequence[str] = ()

    def stage(self, name: str) -> StageFigures | None:
        """The stage of that name, if it came to that."""
        return next((each for each in self.stages if each.name == name), None)


def stages(ticks: Sequence[Tick], sent: Sequence[Sent], took: Mapping[int, float]) -> list[StageFigures]:
    """The figures of each stage, in their order."""
    names = dict.fromkeys(each.stage for each in ticks)
    return [figures for name in names if (figures := _stage(name, ticks, sent, took))]


def _stage(name: str, ticks: Sequence[Tick], sent: Sequence[Sent], took: Mapping[int, float]) -> StageFigures | None:
    own = [each for each in ticks if each.stage == name]
    if len(own) < 2:
        return None
    orders = [each for each in sent if each.stage == name]
    doors = sorted({each.door for each in orders})
    return StageFigures(
        name,
        own[-1].at - own[0].at,
        len(orders),
        own[-1].accepted - own[0].accepted,
        own[-1].ended - own[0].ended,
        fmean(each.rate for each in own),
        max(each.backlog for each in own),
        own[-1].backlog,
        {door: percentiles([each.ms for each in orders if each.door == door and each.accepted]) for door in doors},
        percentiles([took[each.number] for each in orders if each.number in took]),
    )


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The median, and what 95 and 99 of a hundred do not exceed; nothing of no values."""
    ordered = sorted(values)
    return {f"p{share}": percentile(ordered, share / 100) for share in (50, 95, 99)} if ordered else {}


def failures(measured: Measured, sent: Sequence[Sent]) -> Iterator[str]:
    """A sentence for each condition that is not met."""
    yield from _doors(sent)
    yield from _rates(measured)
    yield from _left(measured)
    yield from _memory(measured)


def _doors(sent: Sequence[Sent]) -> Iterator[str]:
    """The spike and the end of the ramp ask for more than there is, so a refusal is right there."""
    for stage in (STEADY, SOAK):
        refused = [each for each in sent if each.stage == stage and not each.accepted and each.answer != CUT_OFF]
        if refused:
            first = refused[0]
            yield f"{stage}: {len(refused)} orders were not accepted, the first by {first.door}: {first.answer}"


def _rates(measured: Measured) -> Iterator[str]:
    if measured.capacity is None:
        yield "the capacity was not found: the ramp did not end"
        return
    for name in (STEADY, SPIKE, SOAK):
        if measured.stage(name) is None:
            yield f"there was no {name}"
    recovery = measured.stage(RECOVERY_OF_SPIKE)
    if recovery is not None and recovery.seconds > _TIME_IS_OVER * RECOVERED_WITHIN_SECONDS:
        yield f"the backlog of the spike was not gone within {recovery.seconds:.0f} s: {recovery.last_backlog} orders"
    if (soak := measured.stage(SOAK)) is not None:
        if soak.accepted_per_second < _KEEPS_UP * soak.asked_per_second:
            yield (
                f"soak: {soak.accepted_per_second:.1f} orders a second came in, of {soak.asked_per_second:.1f} "
                "that were to be sent"
            )
        if _behind(soak, measured) > _BEHIND_SECONDS:
            yield f"soak: the backlog grew to {soak.last_backlog} orders, {_behind(soak, measured):.0f} s of work"


def _behind(stage: StageFigures, measured: Measured) -> float:
    """How many seconds of work more than in the steady stage the backlog is at the end of a stage."""
    assert measured.capacity is not None
    steady = measured.stage(STEADY)
    usual = steady.last_backlog if steady else 0
    return (stage.last_backlog - usual) / measured.capacity.per_second


def _left(measured: Measured) -> Iterator[str]:
    if measured.waiting:
        queues = ", ".join(f"{count} in {queue}" for queue, count in measured.waiting.items())
        yield f"a backlog was left at the end: {queues}"
    if measured.waiting is None:
        yield "what became of the orders was not read"
    for what, problems in (
        ("accepted orders are lost", measured.lost),
        ("orders ended otherwise than they had to", measured.different),
        ("findings: the invariants do not hold", measured.findings),
    ):
        if problems:
            more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            yield f"{len(problems)} {what}: {'; '.join(problems[:_SHOWN])}{more}"


def _memory(measured: Measured) -> Iterator[str]:
    """A function grows if that is certain, and too much; all together are flat only if that is certain.

    Processes that were just started grow, so a short soak says nothing.
    """
    soak = measured.stage(SOAK)
    if soak is None or soak.seconds < _SECONDS_THAT_TELL:
        return
    for function, grown in measured.memory.items():
        if grown.calls >= _CALLS_THAT_TELL and grown.least > 0 and grown.slope > GROWS_AT_MOST:
            yield f"memory of {function} is not flat: {said(grown)}"
    everything = together(measured.memory)
    if everything is not None and everything.most > GROWS_AT_MOST:
        yield f"memory of all functions together is not shown to be flat: {said(everything)}"


def said(grown: Growth) -> str:
    """A growth in words."""
    return f"{grown.slope:+.1f} KB in 1,000 calls ({grown.least:+.1f} to {grown.most:+.1f} with 95 % confidence)"
