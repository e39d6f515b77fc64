"""How the command line prints: tables on a terminal, plain lines with tabs everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from infra.cli.text import clean

STATUS_STYLES = {
    "CONFIRMED": "green",
    "CANCELLED": "yellow",
    "CANCELLING": "yellow",
    "REJECTED": "magenta",
    "PLACED": "cyan",
}


_BETWEEN = "  "
_LEAST_LAST_COLUMN = 10


def out() -> Console:
    """Standard output. Made anew each time, for the stream may have changed."""
    return Console(highlight=False)


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def print_line(console: Console, line: str) -> None:
    """Print a line as it is, however wide the console."""
    if console.is_terminal:
        console.print(text(line), soft_wrap=True)
    else:
        print(clean(line), file=console.file, flush=True)


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: as a table on a terminal that is wide enough, else a line for each, without a header."""
    rows = list(rows)
    if console.is_terminal and _least_width(columns, rows) <= console.width:
        console.print(table(columns, rows))
        return
    for row in rows:
        print_row(console, row)


def print_row(console: Console, row: Iterable[str]) -> None:
    """Print a row as a line of its own."""
    if console.is_terminal:
        print_line(console, _BETWEEN.join(row))
    else:
        print("\t".join(map(clean, row)), file=console.file, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table, of which the last column may go over several lines; where no column has a name, there is no header."""
    *fixed, last = columns
    heads = [*(Column(name, no_wrap=True) for name in fixed), Column(last, overflow="fold")]
    made = Table(*heads, box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for row in rows:
        made.add_row(*map(text, row))
    return made


def text(value: str) -> Text:
    """A value as it is, statuses in their colour."""
    return Text(clean(value), style=STATUS_STYLES.get(value, ""))


class ProgressBar:
    """A progress bar on standard error, which shows only on a terminal.

    ``console`` is where to print lines meanwhile; ``shown`` says whether there is a bar.
    """

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self.console = console
        self.shown = progress is not None
        self._progress = progress

    def update(self, completed: float, **fields: Any) -> None:
        """Show how much is done, and fields of the task that its columns show, such as ``description``."""
        if self._progress:
            self._progress.update(self._progress.task_ids[0], completed=completed, **fields)


@contextmanager
def progress_bar(total: float, *columns: Any, description: str = "", wanted: bool = True) -> Iterator[ProgressBar]:
    """A progress bar for the time of the block.

    Args:
        total: when it is complete, in whatever unit.
        columns: what it consists of, of `rich.progress`.
        description: what it shows in a column of that name.
        wanted: False for none, even on a terminal.
    """
    console = err()
    if not (wanted and console.is_terminal):
        yield ProgressBar(console, None)
        return
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(description, total=total)
        yield ProgressBar(progress.console, progress)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width that a table needs so that it can be read."""
    fixed = [[len(value) for value in row[:-1]] for row in [columns, *rows]]
    widths: list[int] = [max(lengths) + len(_BETWEEN) for lengths in zip(*fixed, strict=True)]
    return sum(widths) + _LEAST_LAST_COLUMN
