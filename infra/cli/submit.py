"""Handing in orders: one, or a file of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from infra.cli import connection
from infra.cli.connection import Connection
from infra.cli.errors import Failure
from infra.cli.output import err, out, tell
from infra.names import INTAKE_BUS_NAME

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from events.integration import OrderSubmitted
    from handlers.files.reader import FileOrder, Reason

SOURCE = "pipeline.cli"
"""The publisher of what is submitted here."""

_TRIES = 5


@dataclass
class _Count:
    """What became of the orders so far."""

    submitted: int = 0
    invalid: int = 0
    unsent: int = 0
    broken: str | None = None
    last: str = field(default="", repr=False)

    @property
    def only_one(self) -> bool:
        return self.submitted + self.invalid + self.unsent == 1 and self.broken is None

    @property
    def all_well(self) -> bool:
        return not (self.invalid or self.unsent or self.broken)

    def __str__(self) -> str:
        told = {"submitted": self.submitted, "invalid": self.invalid, "not sent": self.unsent}
        return ", ".join(f"{number} {what}" for what, number in told.items() if number or what == "submitted")


def submit(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            help="One order as JSON, or a file of orders: NDJSON or CSV. - is standard input.", show_default=False
        ),
    ],
    csv_profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="The file is CSV, and this profile maps its columns.")
    ] = None,
) -> None:
    """Hand in one order, or a file of them.

    An order that is not valid is named, and the others are handed in. Handing in an order again changes nothing.
    """
    from infra.cli.order_input import STDIN, opened, read  # noqa: PLC0415 - see the package

    pipeline = connection.of(context)
    count = _Count()
    with opened(file) as stream, _bar(stream, shown=file != STDIN) as bar:
        orders = read(stream, file, csv_profile)
        try:
            _submit(pipeline, orders, count, bar)
        except KeyboardInterrupt:
            tell(bar.console if bar else err(), f"interrupted: {count}")
            raise
    if count.broken:
        tell(err(), f"{file}: {count.broken}")
    if count.only_one:
        if count.submitted:
            tell(out(), count.last)
            tell(err(), f"submitted; to follow it: {pipeline.command('status', count.last, '--watch')}")
    else:
        tell(out(), str(count))
    if not count.all_well:
        raise typer.Exit(1)


def _submit(pipeline: Connection, orders: Iterator[FileOrder], count: _Count, bar: Progress | None) -> None:
    from events.publishing.publisher import Publisher  # noqa: PLC0415 - see the package

    console = bar.console if bar else err()
    publisher = Publisher(pipeline.client("events"), INTAKE_BUS_NAME, SOURCE, attempts=_TRIES)
    for outcome in publisher.outcomes(_valid(orders, count, bar, console)):
        if outcome.sent:
            count.submitted, count.last = count.submitted + 1, outcome.event.order_id
        else:
            count.unsent += 1
            tell(console, f"not sent: {outcome}")
        if outcome.fatal:
            raise Failure(f"stopped: {count}")


def _valid(
    orders: Iterator[FileOrder], count: _Count, bar: Progress | None, console: Console
) -> Iterator[OrderSubmitted]:
    """The orders that are valid; the others are told. What is wrong with the file ends it, and is for later to tell."""
    from events.integration import OrderSubmitted  # noqa: PLC0415 - see the package
    from handlers.files.check import rejected  # noqa: PLC0415
    from handlers.files.reader import BrokenFile  # noqa: PLC0415
    from handlers.intake.validation import canonical  # noqa: PLC0415

    read = "nothing of it was handed in"
    try:
        for order in orders:
            read = f"nothing after order {order.order_id} was handed in"
            if bar:
                bar.update(bar.task_ids[0], completed=order.end.offset, description=str(count))
            if reasons := rejected(order):
                count.invalid += 1
                tell(console, f"invalid: {_named(order, reasons[0])}{_more(len(reasons) - 1)}")
            else:
                yield OrderSubmitted.model_validate_json(canonical(order.detail))
    except BrokenFile as broken:
        count.broken = f"{broken}; {read}"


def _named(order: FileOrder, reason: Reason) -> str:
    order_id = f"order {order.order_id}" if order.order_id else "an order without an id"
    row = reason.row or order.first_row
    return ": ".join(filter(None, (f"row {row}" if row else "", order_id, reason.field, reason.message)))


def _more(number: int) -> str:
    return f" (and {number} more)" if number else ""


@contextmanager
def _bar(stream: BinaryIO, *, shown: bool) -> Iterator[Progress | None]:
    """A progress bar over a file, where there is a terminal to show it on."""
    console = err()
    if not (shown and console.is_terminal and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)):
        yield None
        return

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task("", total=os.fstat(stream.fileno()).st_size)
        yield bar
