"""The report of a load: as JSON for programs, and as tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.runner.display import print_line
from tests.load.memory import together
from tests.load.verdict import GROWS_AT_MOST, Measured, said


def write(measured: Measured, failures: Sequence[str], file: Path) -> None:
    """Write it as JSON."""
    everything = together(measured.memory)
    content = {
        **asdict(measured),
        "memory_together": everything and asdict(everything),
        "memory_grows_at_most": GROWS_AT_MOST,
        "failures": list(failures),
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def show(measured: Measured, failures: Sequence[str], console: Console) -> None:
    """Print it as tables, with a line for each failure."""
    console.print(_stages(measured))
    if measured.memory:
        console.print(_memory(measured))
    for line in (*_lines(measured), *measured.notes):
        print_line(console, line)
    for failure in failures:
        print_line(console, f"FAILED {failure}")


def _stages(measured: Measured) -> Table:
    titles = (
        "stage",
        "s",
        "orders",
        "in/s",
        "ended/s",
        "backlog max, end",
        "HTTP ms p50, p95",
        "PutEvents ms",
        "took s",
    )
    table = Table(*titles)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in measured.stages:
        answered = [_percentiles(each.answered_ms.get(door, {}), ".0f") for door in ("HTTP", "PutEvents")]
        table.add_row(
            each.name,
            f"{each.seconds:.0f}",
            f"{each.accepted}",
            f"{each.accepted_per_second:.1f}",
            f"{each.ended_per_second:.1f}",
            f"{each.highest_backlog}, {each.last_backlog}",
            *answered,
            _percentiles(each.took_seconds, ".2f"),
        )
    return table


def _percentiles(found: Mapping[str, float], form: str) -> str:
    return ", ".join(f"{found[share]:{form}}" for share in ("p50", "p95") if share in found)


def _memory(measured: Measured) -> Table:
    table = Table(
        "function, in the soak", "processes", "calls", "MB at its end", "KB in 1,000 calls", "95 % confidence"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    everything = together(measured.memory)
    rows = dict(sorted(measured.memory.items())) | ({"all together": everything} if everything else {})
    for name, each in rows.items():
        bounds = f"{each.least:+.1f} to {each.most:+.1f}"
        table.add_row(name, f"{each.processes}", f"{each.calls}", f"{each.megabytes:.1f}", f"{each.slope:+.1f}", bounds)
    return table


def _lines(measured: Measured) -> list[str]:
    lines = []
    if measured.capacity:
        least = "at least " if measured.capacity.at_least else ""
        lines.append(f"capacity: {least}{measured.capacity.per_second:.1f} orders a second; the soak is at 80 % of it")
    if everything := together(measured.memory):
        lines.append(f"memory of functions: {said(everything)}, to be at most {GROWS_AT_MOST:.0f}")
    if measured.emulator_kb_per_order is not None:
        lines.append(
            f"the emulator's memory grew by {measured.emulator_kb_per_order:.1f} KB for each order of the soak"
        )
    if measured.drained_seconds is not None:
        lines.append(
            f"no backlog {measured.drained_seconds:.0f} s after the last order" if not measured.waiting else ""
        )
    counted = {"lost": measured.lost, "other outcomes": measured.different, "findings": measured.findings}
    lines += [f"{what}: {len(found)}" for what, found in counted.items() if found is not None]
    return [line for line in lines if line]
