"""What the simulation says of this machine, calibrated by one run on it: for comparison with what was measured."""

from __future__ import annotations

from collections.abc import Mapping

from infra.local.runner.generator import generate
from infra.local.runner.order_run import UNDER_WAY
from infra.planning.measured import AT_LOAD, MANY_LINES, Run
from infra.planning.simulation.arrivals import under_way
from infra.planning.simulation.calibration import calibrated, on_this, predicted
from infra.planning.simulation.result import SHARES, Result
from tests.bench import throughput


def predict(runs: Mapping[str, Run]) -> dict[str, float]:
    """``predicted.<figure>`` for each figure that the simulation predicts, calibrated by the run at load.

    The median of that run is what it was calibrated by, and so predicts nothing. The others are of orders of more lines
    at another rate, and of as many orders as the machine takes.
    """
    emulated = calibrated(runs[AT_LOAD])
    figures: dict[str, float] = {}
    for name in (AT_LOAD, MANY_LINES):
        figures |= _times(f"per_order.{name}.outcome_ms", predicted(runs[name], emulated))
    submissions = generate(throughput.ORDERS, throughput.SEED).submissions
    lines = round(sum(len(each.detail["lines"]) for each in submissions) / len(submissions))
    full = on_this(lines, emulated, under_way(throughput.ORDERS, UNDER_WAY), waits=throughput.WAIT_SCALE)
    figures |= {"orders_per_s": full.orders_per_second, **_times("latency_ms", full)}
    return {f"predicted.{key}": value for key, value in figures.items()}


def _times(key: str, result: Result) -> dict[str, float]:
    return {f"{key}.p{share}": 1000 * result.percentile(share) for share in SHARES}
