"""How a run is displayed: bars on a terminal, plain lines elsewhere, and a summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.progress_bar import ProgressBar

from events.currencies import formatted
from handlers.operations.audit import CHECKS, notes
from handlers.operations.audit.balances import confirmed_totals, kept_money
from infra.local.runner.order_run import ProgressListener, Report, percentile
from infra.local.runner.run_progress import CANCELLED, CONFIRMED, DEAD_LETTER, REJECTED, STATUSES, Progress

_WORDS = {
    CONFIRMED: "confirmed",
    CANCELLED: "cancelled",
    REJECTED: "rejected",
    DEAD_LETTER: "dead letters",
}
_COLOURS = {CONFIRMED: "green", CANCELLED: "yellow", REJECTED: "magenta", DEAD_LETTER: "red"}
_IN_PROGRESS = "in progress"
_LINE_EVERY = 1.0  # seconds


@contextmanager
def progress_display(console: Console) -> Iterator[ProgressListener]:
    """Displays the progress of a run on the console, for the time of the block."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description:>14}", justify="right"),
        _OutcomeBar(),
        MofNCompleteColumn(),
    )
    with Bars(*columns, console=console) as bars:
        yield _Bars(bars, console)


class _Lines:
    """A line for each stage, and one a second while orders progress."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_at = time.monotonic()
        self._printed_at = 0.0
        self._printed = ""

    def stage_started(self, stage: str) -> None:
        self._print(stage)

    def progressed(self, progress: Progress) -> None:
        counts = ", ".join(f"{_WORDS[status]} {progress.count(status)}" for status in STATUSES)
        line = f"placed {len(progress.placed)}, {counts}, {_IN_PROGRESS} {len(progress.open)}"
        if line != self._printed and (time.monotonic() - self._printed_at > _LINE_EVERY or not progress.open):
            self._printed_at, self._printed = time.monotonic(), line
            self._print(line)

    def _print(self, line: str) -> None:
        print_line(self._console, f"{time.monotonic() - self._started_at:6.1f} s  {line}")


class _OutcomeBar(ProgressColumn):
    """A bar in the colour of its outcome."""

    def render(self, task: Task) -> ProgressBar:
        colour = task.fields["colour"]
        return ProgressBar(task.total, task.completed, width=40, complete_style=colour, finished_style=colour)


class _Bars:
    """A line for each stage, and below them a bar for each outcome."""

    def __init__(self, bars: Bars, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._started_at = time.monotonic()
        self._tasks: dict[str, TaskID] = {}

    def stage_started(self, stage: str) -> None:
        print_line(self._console, f"{time.monotonic() - self._started_at:6.1f} s  {stage}")

    def progressed(self, progress: Progress) -> None:
        if not self._tasks:
            total = len(progress.submissions)
            for status in STATUSES:
                self._tasks[status] = self._bars.add_task(_WORDS[status], total=total, colour=_COLOURS[status])
            self._tasks[_IN_PROGRESS] = self._bars.add_task(_IN_PROGRESS, total=total, colour="blue")
        for status in STATUSES:
            self._bars.update(self._tasks[status], completed=progress.count(status))
        self._bars.update(self._tasks[_IN_PROGRESS], completed=len(progress.open))


def print_line(console: Console, line: str) -> None:
    """Print a line as it is, however wide the console."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def summary(report: Report) -> Iterator[str]:
    """What a person wants to know of a run, line by line."""
    progress = report.progress
    total = len(progress.submissions)
    yield f"{total} submissions" + (f", {report.sent - total} of them sent twice" if report.sent > total else "")
    for status in STATUSES:
        why = Counter(result.reason for result in progress.results.values() if result.status == status)
        yield f"{progress.count(status):6} {_WORDS[status]}"
        yield from (f"{count:12} {reason}" for reason, count in why.most_common() if reason)
    if progress.open:
        first = ", ".join(str(each.key[0]) for each in progress.open[:10])
        yield f"{len(progress.open):6} without end: {first}"
    yield from _lines(report)
    yield from _money(report)
    if latencies := report.latencies:
        shown = "   ".join(f"p{share} {percentile(latencies, share / 100):.2f} s" for share in (50, 95, 99))
        yield f"latency    {shown}   (from publishing a submission to the event that ended it)"
        yield f"throughput {report.orders_per_second:.1f} orders a second ({len(latencies)} in {report.seconds:.1f} s)"
    broken = Counter(finding.invariant for finding in report.findings)
    for number, (what, _) in CHECKS.items():
        yield f"invariant {number} {'does NOT hold' if broken[number] else 'holds'}: {what}"
    yield from notes(report.run)


def _lines(report: Report) -> Iterator[str]:
    placed = sum(len(order.lines) for order in report.run.orders.values())
    submitted: Counter[str] = Counter()
    for each in report.progress.submissions:
        result = report.progress.results.get(each.key)
        submitted[result.status if result else _IN_PROGRESS] += len(each.lines)
    refused = ", ".join(f"{submitted[status]} in {_WORDS[status]}" for status in (REJECTED, DEAD_LETTER))
    yield f"lines      {submitted.total()} submitted: {placed} in orders placed, {refused}"


def _money(report: Report) -> Iterator[str]:
    kept = kept_money(report.run)
    for currency, confirmed in sorted(confirmed_totals(report.run).items()):
        taken = kept["captured", currency] - kept["refunded", currency]
        booked = formatted(taken, currency)
        yield f"money      {formatted(confirmed, currency)} confirmed, {booked} in the gateway's books"
