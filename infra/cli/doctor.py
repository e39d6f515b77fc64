"""Finding what is not well, and what mends it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import connection
from infra.cli.arguments import duration
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.output import err, out, print_line, print_table
from infra.names import TABLE_NAME

if TYPE_CHECKING:
    from handlers.operations.audit.copy import AuditCopy
    from handlers.operations.doctor.look import Ailment, Look

MENDS = ("republish", "resume", "recount", "rebuild")
"""The commands that mend something, in the order in which to use them."""

LOOKS_INTO = "history"
"""What shows a person what no command mends."""

_GIVEN_AT_ONCE = 20
_SECOND_LOOK_SECONDS = 5.0

Told = Callable[[str, int], None]
"""Is told what is being read, and how many of them more were."""


def doctor(
    context: typer.Context,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="How long an event may take to be published, and shown in views.")
    ] = "15m",
    still: Annotated[
        str, typer.Option(metavar="TIME", help="How long nothing may happen to an order that has not ended.")
    ] = "15m",
) -> None:
    """Find what is wrong, and name the commands that repair it.

    Compares log, audit copy, views and balances.
    What differs is looked at a second time, and told only if it differs in the same way again: a pipeline at work is
    not ill. Reads the whole table, twice where something differs, and the whole audit copy; the log is held in memory,
    some 2 kB for each event.

    Exits with 1 if something is not well. Needs dynamodb:Scan, s3:ListBucket and s3:GetObject on the audit copy,
    states:ListExecutions, states:DescribeExecution and cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    with _progress() as told:
        rounds = _Rounds.of(pipeline, duration(grace), duration(still), told)
        look, found = rounds.look()
        if found:
            before = set(found)
            time.sleep(_SECOND_LOOK_SECONDS)
            look, found = rounds.look()
            found = [ailment for ailment in found if ailment in before]
    if not found:
        print_line(out(), f"all is well: {_looked_at(look)}")
        return
    print_line(err(), f"looked at {_looked_at(look)}")
    print_table(out(), ("what", "is wrong"), [(ailment.about, ailment.wrong) for ailment in found])
    _tell_what_mends(pipeline, found)
    raise typer.Exit(1)


@dataclass(frozen=True)
class _Rounds:
    """Looks at one pipeline, again and again."""

    pipeline: Connection
    copy: AuditCopy
    grace: timedelta
    still: timedelta
    told: Told

    @classmethod
    def of(cls, pipeline: Connection, grace: timedelta, still: timedelta, told: Told) -> _Rounds:
        from handlers.operations.audit.copy import AuditCopy  # noqa: PLC0415 - see the package

        copy = AuditCopy(pipeline.client("s3"), pipeline.outputs["AuditBucketName"])
        return cls(pipeline, copy, grace, still, told)

    def look(self) -> tuple[Look, list[Ailment]]:
        """What is there now, and what is not well with it."""
        from handlers.operations.audit.copy import UnreadableCopy  # noqa: PLC0415 - see the package
        from handlers.operations.audit.table import read_table  # noqa: PLC0415
        from handlers.operations.doctor import ailments  # noqa: PLC0415
        from handlers.operations.doctor.look import Look  # noqa: PLC0415
        from handlers.operations.doctor.standing import due  # noqa: PLC0415

        now = datetime.now(UTC)
        table = read_table(
            self.pipeline.store.client, TABLE_NAME, read=lambda items: self.told("items of the table", items)
        )
        try:
            self.copy.read(read=lambda events: self.told("events of the audit copy", events))
        except UnreadableCopy as unreadable:
            raise CommandError(str(unreadable)) from unreadable
        look = Look(table, self.copy.event_ids, frozenset(), now - self.grace, now - self.still, self.copy.since)
        if any(due(look, order_id) for order_id in look.still_orders):
            look = replace(look, running=self.pipeline.sagas.running())
        return look, list(ailments(look))


def _looked_at(look: Look) -> str:
    counts = {
        "events": len(look.table.log),
        "published and copied": len(look.published),
        "orders": len(look.orders),
        "views": len(look.table.views),
        "stock levels": len(look.table.levels),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _tell_what_mends(pipeline: Connection, found: Iterable[Ailment]) -> None:
    about: dict[str, dict[str, None]] = defaultdict(dict)
    for ailment in found:
        if ailment.mend:
            about[ailment.mend.command][ailment.mend.about] = None
    for title, commands in (("to mend it:", MENDS), ("for a person to look into:", (LOOKS_INTO,))):
        lines = [
            pipeline.command(command, *given) for command in commands for given in _given(command, list(about[command]))
        ]
        if lines:
            print_line(err(), title)
        for line in lines:
            print_line(out(), line)


def _given(command: str, about: Sequence[str]) -> Iterator[Sequence[str]]:
    """What a command is given, as often as it takes: some take one thing at a time."""
    at_once = 1 if command in {"rebuild", LOOKS_INTO} else _GIVEN_AT_ONCE
    return (about[start : start + at_once] for start in range(0, len(about), at_once))


@contextmanager
def _progress() -> Iterator[Told]:
    """A line for each thing that is being read, where there is a terminal to show it on."""
    console = err()
    if not console.is_terminal:
        yield lambda _what, _more: None
        return

    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def told(what: str, more: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.advance(tasks[what], more)

        yield told
