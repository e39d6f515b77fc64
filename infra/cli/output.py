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
    """Print rows: as a table on a terminal, else a line for each, its values between tabs, and no header."""
    if console.is_terminal:
        console.print(table(columns, rows))
        return
    for row in rows:
        tell_row(console, row)


def tell_row(console: Console, row: Iterable[str]) -> None:
    """Print a row as a line of its own."""
    if console.is_terminal:
        tell(console, "  ".join(row))
    else:
        print("\t".join(map(clean, row)), file=console.file, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table. What does not fit goes on in the next line, so that an id can be read whatever the width."""
    from rich.table import Column, Table  # noqa: PLC0415

    made = Table(*(Column(each, overflow="fold") for each in columns), box=None, pad_edge=False, header_style="bold")
    made.show_header = bool(columns)
    for row in rows:
        made.add_row(*map(text, row))
    return made


def text(value: str) -> Text:
    """A value as it is, statuses in their colour."""
    from rich.text import Text  # noqa: PLC0415

    return Text(clean(value), style=STATUS_STYLES.get(value, ""))


def clean(value: str) -> str:
    """A value without characters that a terminal would obey: outsiders may have written it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value)


def moment(iso: str) -> str:
    """A time as people read it, in UTC, to the millisecond."""
    return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
