"""How the command line shows things: tables on a terminal, plain lines with tabs everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

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
    from rich.console import Console  # noqa: PLC0415 - `--help` does without

    return Console(highlight=False)


def err() -> Console:
    """Standard error."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False)


def tell(console: Console, line: str) -> None:
    """Print a line as it is, however wide the console."""
    if console.is_terminal:
        console.print(text(line), soft_wrap=True)
    else:
        print(clean(line), file=console.file, flush=True)


def show(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: as a table on a terminal that is wide enough, else a line for each, without a header."""
    rows = list(rows)
    if console.is_terminal and _least_width(columns, rows) <= console.width:
        console.print(table(columns, rows))
        return
    for row in rows:
        tell_row(console, row)


def tell_row(console: Console, row: Iterable[str]) -> None:
    """Print a row as a line of its own."""
    if console.is_terminal:
        tell(console, _BETWEEN.join(row))
    else:
        print("\t".join(map(clean, row)), file=console.file, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table, of which the last column may go over several lines; where no column has a name, there is no header."""
    from rich.table import Column, Table  # noqa: PLC0415 - see the package

    *fixed, last = columns
    heads = [*(Column(name, no_wrap=True) for name in fixed), Column(last, overflow="fold")]
    made = Table(*heads, box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for row in rows:
        made.add_row(*map(text, row))
    return made


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width that a table needs so that it can be read."""
    fixed = [[len(value) for value in row[:-1]] for row in [columns, *rows]]
    widths: list[int] = [max(lengths) + len(_BETWEEN) for lengths in zip(*fixed, strict=True)]
    return sum(widths) + _LEAST_LAST_COLUMN


def text(value: str) -> Text:
    """A value as it is, statuses in their colour."""
    from rich.text import Text  # noqa: PLC0415

    return Text(clean(value), style=STATUS_STYLES.get(value, ""))


def clean(value: str) -> str:
    """A value without characters that a terminal would obey: outsiders may have written it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value)


def moment(iso: str) -> str:
    """A time as people read it, in UTC, to the second."""
    return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
