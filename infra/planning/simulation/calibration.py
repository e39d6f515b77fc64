"""What one machine adds, from one run on it: so other runs can be predicted. Pure."""

from __future__ import annotations

from infra.planning.measured import Run
from infra.planning.order import Order
from infra.planning.simulation.arrivals import Arrivals, evenly
from infra.planning.simulation.calls import INVOCATION, requests_outside
from infra.planning.simulation.machine import Emulated, on_one_machine
from infra.planning.simulation.result import Result
from infra.planning.simulation.scenarios import SCENARIOS
from infra.planning.simulation.simulation import simulate
from infra.planning.stages import stages

_MOST_HOP_MS = 200.0
_NEAR_MS = 1.0


class NotTimed(Exception):
    """Nothing was timed in a run."""


def calibrated(run: Run) -> Emulated:
    """What one machine adds.

    What the emulator worked in the run is divided by what it answered. What passes from one
    service to the next is what makes the median of the time to the outcome come out as it was.

    Raises:
        NotTimed: that run was not timed.
    """
    if run.timed is None:
        raise NotTimed("what one machine adds is not known: `make bench` measures it")
    ways = stages(run.lines)
    asked = sum(counts.aws_calls for counts in run.functions.values())
    asked += sum(requests_outside(stage, stage.records) for stage in ways)
    called = sum(counts.calls for counts in run.functions.values())
    passed_on = 1 + sum(stage.records for stage in ways if stage.source == "queue")
    request_ms = run.timed.emulator_ms / (asked + INVOCATION * called + passed_on)
    low, high = 0.0, _MOST_HOP_MS
    while high - low > _NEAR_MS:
        hop_ms = (low + high) / 2
        emulated = Emulated(request_ms, hop_ms)
        slower = predicted(run, emulated).percentile(50) * 1000 > run.timed.outcome_ms["p50"]
        low, high = (low, hop_ms) if slower else (hop_ms, high)
    return Emulated(request_ms, (low + high) / 2)


def predicted(run: Run, emulated: Emulated) -> Result:
    """What the orders of a run come to on one machine: as many, as often, of as many lines."""
    return on_this(run.lines, emulated, evenly(run.orders, run.orders_per_second))


def on_this(lines: int, emulated: Emulated, arrivals: Arrivals, *, waits: float = 1.0) -> Result:
    """What orders come to on one machine whose windows, polls and retries take ``waits`` of their time."""
    order = Order(lines=lines)
    return simulate(order, on_one_machine(lines, emulated, waits=waits), SCENARIOS["steady"], arrivals)
