"""What orders were measured to cause, and what that says of any number of lines and any size of batches. Pure.

`make bench` writes ``measured.json``, and it is committed. Each function was counted in several runs: of an order
alone, of orders that came in at a steady rate, and of orders of many lines. From these follows what it takes for a
call, for a record in it, and for a line of an order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from infra.planning.fitting import fitted

FILE = Path(__file__).parent / "measured.json"
ALONE, AT_LOAD, MANY_LINES = "alone", "at_load", "at_load_21_lines"
"""The runs."""

_BATCHES = 1.5
"""From how many records in a call on it shows what a call takes besides its records."""
_DIGITS = 4


@dataclass(frozen=True)
class FunctionCounts:
    """What an order caused of one function: calls, records in them, milliseconds of this machine's processor, calls of
    AWS's services, read units, and write units by kind of key (``level``, ``order``, …; ``vault`` are the vault's).
    """

    calls: float
    records: float
    processor_ms: float
    aws_calls: float
    read_units: float
    writes: Mapping[str, float]

    def of(self, quantity: str) -> float:
        """One of them by its name: ``read_units``, ``writes.level``."""
        name, _, kind = quantity.partition(".")
        return self.writes.get(kind, 0.0) if kind else float(getattr(self, name))


@dataclass(frozen=True)
class Timed:
    """How long orders took, and what the emulator worked for each of them on this machine.

    Attributes:
        outcome_ms: from an order's submission to its outcome, by percentile: ``p50``, ``p95``, ``p99``.
        emulator_ms: of the emulator's processor.
    """

    outcome_ms: Mapping[str, float]
    emulator_ms: float


@dataclass(frozen=True)
class Run:
    """What was counted of ``orders`` of so many ``lines`` that came in at a steady rate; of one alone, the rate is 0.

    ``per_order`` has what `infra.planning.pricing` prices, and ``functions`` each function that was called, both for
    one order. ``timed`` is how long they took, where that was measured.
    """

    orders: int
    orders_per_second: float
    lines: int
    per_order: Mapping[str, float]
    functions: Mapping[str, FunctionCounts]
    timed: Timed | None = None


@dataclass(frozen=True)
class Cost:
    """What a function takes for each call, and for each record in it."""

    per_call: float
    per_record: float

    def of(self, records: float) -> float:
        """What a call with so many records takes."""
        return self.per_call + self.per_record * records


@dataclass(frozen=True)
class Measured:
    """The file: when and how it was measured, the runs by name, and what an idle environment costs, by service."""

    date: str
    how: str
    runs: Mapping[str, Run]
    idle_usd_per_month: Mapping[str, float]

    def cost(self, function: str, quantity: str, lines: int) -> Cost:
        """What a function takes of a quantity, with orders of so many lines.

        Where batches were too small to tell, all is taken for what each record takes.
        """
        seen = [(run.lines, run.functions[function]) for run in self.runs.values() if function in run.functions]
        if not seen:
            return Cost(0, 0)
        batched = any(counts.records >= _BATCHES * counts.calls for _, counts in seen)
        rows = [
            ((counts.calls * batched, counts.records, counts.records * lines_then), counts.of(quantity))
            for lines_then, counts in seen
        ]
        per_call, per_record, per_line = fitted(rows)
        return Cost(per_call, per_record + per_line * lines)

    def kinds(self, function: str) -> list[str]:
        """The kinds of keys that a function writes to."""
        return sorted(
            {kind for run in self.runs.values() if (counts := run.functions.get(function)) for kind in counts.writes}
        )

    def per_order(self, count: str, lines: int) -> float:
        """What an order of so many lines causes at load, of a count that batches change little: it grows with lines."""
        few, many = self.runs[AT_LOAD], self.runs[MANY_LINES]
        least = few.per_order.get(count, 0.0)
        per_line = (many.per_order.get(count, 0.0) - least) / (many.lines - few.lines)
        return least + max(0.0, per_line) * (lines - few.lines)


@cache
def measured() -> Measured:
    """What is in the file."""
    return TypeAdapter(Measured).validate_json(FILE.read_bytes())


def write(values: Measured) -> None:
    """Write the file, its numbers rounded to as many digits as mean something."""
    document = _rounded(TypeAdapter(Measured).dump_python(values, mode="json"))
    FILE.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    measured.cache_clear()


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case float():
            return float(f"{value:.{_DIGITS}g}")
    return value
