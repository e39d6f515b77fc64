"""`python -m tests.bench`: measure everything, write ``build/bench.json``, and print the same as a table.

What `pipeline plan` calculates from goes into ``infra/planning/measured.json``, which is committed.
"""

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra import needs
from infra.local.pipeline import pipeline
from infra.planning.measured import ALONE, AT_LOAD, MANY_LINES, Run
from tests.bench import (
    append,
    deploying,
    file_import,
    fold,
    http_api,
    idle,
    init,
    per_order,
    prediction,
    rebuild,
    throughput,
)

_RESULT = Path("build/bench.json")

_AT_MOST = {
    "package_bytes": 5_500_000.0,
    "package_bytes.api": 11_000_000.0,
    "code_bytes": 400_000.0,
    "code_bytes.api": 400_000.0,
    "per_order.alone.put_events_entries": needs.ENTRIES_PER_ORDER,
    "per_order.alone.write_units": 26.0,
    "per_order.alone.write_units.vault": 4.0,
    "per_order.at_load.function_calls": 8.0,
    "per_order.at_load.write_units.total": 44.0,
    "per_order.at_load.log_bytes": 4_096.0,
    "per_order.at_load.view_lag_ms.p95": 7_000.0,
    "usd_per_million_orders.at_load.total": 60.0,
    "accept_ms.p99": 50.0,
    "usd_idle_per_month.small.total": 30.0,
    "deploy_s": 15.0,
}
_AT_LEAST = {"orders_per_s": 12.0, "fold_events_per_s": 320_000.0}
_INIT_PER_BOTO3 = 2.2
_FLAT = 1.1
_STEADY = 0.85
_PREDICTED = "predicted."


def main() -> None:
    """Measure. What needs the machine to itself comes one after the other."""
    console = Console(stderr=True)
    runs: dict[str, Run] = {}
    console.print("fold, init and package …")
    figures = fold.measure() | init.measure()
    console.print("what an idle environment costs …")
    figures |= idle.measure()
    console.print("a deployment …")
    figures |= deploying.measure()
    console.print("orders through the pipeline …")
    with pipeline() as deployed:
        figures |= throughput.measure(deployed) | rebuild.measure_replay(deployed)
    console.print("one order, counted …")
    with pipeline() as deployed:
        alone, runs[ALONE] = per_order.measure_alone(deployed)
        figures |= alone | append.measure(deployed)
    console.print("a thousand orders at a steady eight a second, counted …")
    with pipeline() as deployed:
        loaded, runs[AT_LOAD] = per_order.measure_at_load(deployed)
        figures |= loaded
    console.print("orders of 21 lines, as the real ones have, counted …")
    with pipeline() as deployed:
        long, runs[MANY_LINES] = per_order.measure_many_lines(deployed)
        figures |= long
    per_order.keep(runs, idle.costs("small"))
    figures |= prediction.predict(runs)
    console.print("HTTP …")
    with pipeline() as deployed:
        figures |= http_api.measure(deployed)
    console.print("files …")
    with pipeline() as deployed:
        figures |= file_import.measure(deployed)
    console.print("rebuilds …")
    with pipeline() as deployed:
        figures |= rebuild.measure(deployed)
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    Console().print(_table(figures))


def _table(figures: dict[str, float]) -> Table:
    """What was measured, beside what the simulation predicts of it and what it is to reach."""
    table = Table("key", "measured", "predicted", "to reach", "")
    table.columns[1].justify = table.columns[2].justify = "right"
    for key, value in figures.items():
        if key.startswith(_PREDICTED):
            continue
        target, reached = _target(key, figures)
        prediction_of_it = figures.get(_PREDICTED + key)
        table.add_row(
            key,
            _number(value),
            "" if prediction_of_it is None else _number(prediction_of_it),
            target,
            "" if reached is None else _mark(reached(value)),
        )
    return table


def _number(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _target(key: str, figures: dict[str, float]) -> tuple[str, Callable[[float], bool] | None]:
    """What a figure is to reach, in words and as a test; nothing, where it is only to be known."""
    if key in _AT_MOST:
        most = _AT_MOST[key]
    elif key.startswith("init_ms.") and key != "init_ms.boto3":
        most = _INIT_PER_BOTO3 * figures["init_ms.boto3"]
    elif key == "import_peak_mb.1000000":
        most = _FLAT * figures["import_peak_mb.10000"]
    elif key == "rebuild_peak_mb.100000":
        most = _FLAT * figures["rebuild_peak_mb.10000"]
    elif key == "rebuild_events_per_s.100000":
        least = _STEADY * figures["rebuild_events_per_s.10000"]
        return f"≥ {least:,.0f}", lambda value: value >= least
    elif key in _AT_LEAST:
        least = _AT_LEAST[key]
        return f"≥ {least:,.0f}", lambda value: value >= least
    else:
        return "", None
    return f"≤ {most:,.0f}", lambda value: value <= most


def _mark(reached: bool) -> str:
    return "[green]ok[/]" if reached else "[red]missed[/]"


if __name__ == "__main__":
    main()
