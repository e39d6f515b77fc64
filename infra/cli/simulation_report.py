"""How the command line prints what a simulation came to."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from infra.cli.output import print_line, print_table
from infra.cli.plot import bars
from infra.planning.plan import number
from infra.planning.simulation.result import SHARES, Result

_ORDERS = "orders without an outcome"


def print_simulation(console: Console, result: Result, prepared_for: float) -> None:
    """Print percentiles, what waited where and for how long, and the backlog of orders over time."""
    for line in _first_lines(result, prepared_for):
        print_line(console, line)
    print_line(console, "")
    print_table(console, ("backlog", "most", "at second", "gone after"), _backlogs(result))
    waiting = [orders for _, orders in result.backlog()]
    while waiting and not waiting[-1]:
        waiting.pop()
    print_line(console, "")
    print_line(console, f"{_ORDERS}, over {len(waiting):,} s:")
    for line in bars(waiting):
        print_line(console, f"│{line}")


def _first_lines(result: Result, prepared_for: float) -> Iterator[str]:
    scenario = result.scenario
    when = f", from second {scenario.since:g} to {scenario.until:g}" if scenario.differs else ""
    yield f"{scenario.about}{when}; prepared for {number(prepared_for)} orders a second"
    yield (
        f"{result.submitted:,} orders: {result.cancelled:,} cancelled, {result.handed_over:,} handed over to the saga, "
        f"{result.open:,} still without an outcome"
    )
    yield "to the outcome: " + ", ".join(f"p{share} {_seconds(result.percentile(share))}" for share in SHARES)


def _backlogs(result: Result) -> Iterator[tuple[str, ...]]:
    for function in (None, *result.samples[0].waiting):
        backlog = result.backlog(function)
        at, most = max(backlog, key=lambda each: each[1])
        gone = result.gone_after(function)
        after = "not within that time" if gone is None else "" if gone == 0 else _seconds(gone)
        yield (function or _ORDERS, f"{most:,}", f"{at:,.0f}", after)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
