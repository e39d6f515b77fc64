"""The command that submits orders: one, or a file of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from events.integration import OrderSubmitted
from events.publishing.publisher import Publisher
from events.shops import of_shop
from handlers.files.check import rejected
from handlers.files.reader import BrokenFile, FileOrder, Reason
from handlers.intake.parties import COMMAND_LINE
from handlers.intake.validation import canonical
from infra.cli import connection
from infra.cli.arguments import checked_shop
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.order_input import STDIN, opened, read
from infra.cli.output import ProgressBar, err, out, print_line, progress_bar
from infra.signals import Ended

ATTEMPTS = 5
"""How often an order is sent at most."""


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
        counts = {"submitted": self.submitted, "invalid": self.invalid, "not sent": self.unsent}
        return ", ".join(f"{number} {what}" for what, number in counts.items() if number or what == "submitted")


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
    shop: Annotated[
        str | None, typer.Option(metavar="SHOP", help="The shop that they are of.", show_default="where there is one")
    ] = None,
) -> None:
    """Submit one order, or a file of them.

    An order that is not valid is named, and the others are submitted. Submitting an order again changes nothing.

    Needs events:PutEvents on the intake bus and cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    shop = checked_shop(shop, pipeline.shops)
    count = _Count()
    with opened(file) as stream, _bar(stream, wanted=file != STDIN) as bar:
        orders = read(stream, file, csv_profile)
        try:
            _submit(pipeline, shop, orders, count, bar)
        except Ended:
            print_line(bar.console, f"interrupted: {count}")
            raise
    if count.broken:
        print_line(err(), f"{file}: {count.broken}")
    if count.only_one:
        if count.submitted:
            order_id = of_shop(shop, count.last)
            print_line(out(), order_id)
            print_line(err(), f"submitted; to follow it: {pipeline.command('status', order_id, '--watch')}")
    else:
        print_line(out(), str(count))
    if not count.all_well:
        raise typer.Exit(1)


def _submit(pipeline: Connection, shop: str, orders: Iterator[FileOrder], count: _Count, bar: ProgressBar) -> None:
    publisher = Publisher(
        pipeline.client("events"), pipeline.outputs["IntakeBusName"], f"{COMMAND_LINE}{shop}", attempts=ATTEMPTS
    )
    for outcome in publisher.outcomes(_valid(orders, count, bar)):
        if outcome.sent:
            count.submitted, count.last = count.submitted + 1, outcome.event.order_id
        else:
            count.unsent += 1
            print_line(bar.console, f"not sent: {outcome}")
        if outcome.fatal:
            raise CommandError(f"stopped: {count}")


def _valid(orders: Iterator[FileOrder], count: _Count, bar: ProgressBar) -> Iterator[OrderSubmitted]:
    """The orders that are valid; the others are printed. A broken file ends them, and ``count`` says why."""
    reached = "nothing of it was submitted"
    try:
        for order in orders:
            reached = f"nothing after order {order.order_id} was submitted"
            bar.update(order.end.offset, description=str(count))
            if reasons := rejected(order):
                count.invalid += 1
                print_line(bar.console, f"invalid: {_named(order, reasons[0])}{_more(len(reasons) - 1)}")
            else:
                yield OrderSubmitted.model_validate_json(canonical(order.detail))
    except BrokenFile as broken:
        count.broken = f"{broken}; {reached}"


def _named(order: FileOrder, reason: Reason) -> str:
    order_id = f"order {order.order_id}" if order.order_id else "an order without an id"
    row = reason.row or order.first_row
    return ": ".join(filter(None, (f"row {row}" if row else "", order_id, reason.field, reason.message)))


def _more(number: int) -> str:
    return f" (and {number} more)" if number else ""


@contextmanager
def _bar(stream: BinaryIO, *, wanted: bool) -> Iterator[ProgressBar]:
    """A progress bar over what is a file of known size."""
    file = os.fstat(stream.fileno()) if wanted else None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    size = file.st_size if file and stat.S_ISREG(file.st_mode) else 0
    with progress_bar(size, *columns, wanted=size > 0) as bar:
        yield bar
