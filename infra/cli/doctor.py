"""Finding problems, and what repairs them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from handlers.operations.audit import notes
from handlers.operations.audit.copy import AuditCopy, UnreadableCopy
from handlers.operations.doctor.examination import Doctor, Examination, OnRead
from handlers.operations.doctor.problem import Problem
from handlers.operations.doctor.report import FOR_A_PERSON, REPAIRS, arguments, grouped
from infra.cli import connection
from infra.cli.arguments import duration
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.feeds import described, feeds_of
from infra.cli.output import err, out, print_line, print_table

_SHOWN = 5
"""How many problems of a kind, and how many commands of a kind, are shown unless all are asked for."""

_ARGUMENTS_AT_ONCE = 20
_ONE_AT_A_TIME = {"rebuild", "history"}


def doctor(
    context: typer.Context,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="How long an event may take to be published, and shown in views.")
    ] = "15m",
    stalled_after: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long nothing may happen to an order that has not ended. Executions of the express lane cannot be "
            "seen, and take up to five minutes: with less, an order that one works on may be named.",
        ),
    ] = "15m",
    everything: Annotated[
        bool, typer.Option("--all", help="Show every problem and every command, not the first few of each kind.")
    ] = False,
) -> None:
    """Find what is wrong, and name the commands that repair it.

    Compares log, audit copy, views and balances. If there is a problem, everything is read a second time, and only what
    differs again in the same way is shown: a pipeline at work has no problem. Reads the whole table and the whole audit
    copy; the log is held in memory, some 2 kB for each event. Problems and commands go to standard output, titles and
    counts to standard error.

    Exits with 1 if there is a problem. Needs dynamodb:Scan, s3:ListBucket and s3:GetObject on the audit copy,
    states:ListExecutions, states:DescribeExecution, lambda:ListEventSourceMappings, lambda:ListTags and
    cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    grace_time, stalled_time = duration(grace), duration(stalled_after)
    copy = AuditCopy(pipeline.client("s3"), pipeline.outputs["AuditBucketName"])
    examiner = Doctor(pipeline.store, copy, pipeline.sagas.running, wait=time.sleep)
    with _progress() as on_read:
        try:
            found = examiner.examine(grace=grace_time, stalled_after=stalled_time, on_read=on_read)
        except UnreadableCopy as unreadable:
            raise CommandError(str(unreadable)) from unreadable
    for note in notes(found.snapshot):
        print_line(err(), note)
    for function, pause in feeds_of(pipeline).paused().items():
        print_line(err(), f"{function} is paused {described(pause)}: what it has yet to do counts as a problem here")
    if not found.problems:
        print_line(out(), f"no problems: {_examined(found)}")
        return
    print_line(err(), f"problems: {len(found.problems):,} ({_examined(found)})")
    limit = None if everything else _SHOWN
    _show_problems(found.problems, limit)
    _show_commands(pipeline, found.problems, limit)
    raise typer.Exit(1)


def _examined(examination: Examination) -> str:
    snapshot = examination.snapshot
    counts = {
        "events": len(snapshot.table.log),
        "published and copied": len(snapshot.published),
        "orders": len(snapshot.orders),
        "views": len(snapshot.table.views),
        "stock levels": len(snapshot.table.levels),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _show_problems(problems: Sequence[Problem], limit: int | None) -> None:
    for kind, repaired_by, found in grouped(problems):
        print_line(err(), f"{kind}: {len(found):,}" + (f" ({repaired_by})" if repaired_by else ""))
        print_table(out(), ("", ""), [(problem.about, problem.wrong) for problem in islice(found, limit)])
        _show_rest(len(found), limit)


def _show_commands(pipeline: Connection, problems: Sequence[Problem], limit: int | None) -> None:
    given = arguments(problems)
    for title, commands in (("to repair:", REPAIRS), ("for a person to check:", FOR_A_PERSON)):
        if given.keys() & commands:
            print_line(err(), title)
        for command in commands:
            calls = list(_calls(command, given.get(command, ())))
            for call in islice(calls, limit):
                print_line(out(), pipeline.command(command, *call))
            _show_rest(len(calls), limit)


def _show_rest(count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        print_line(err(), f"... and {count - limit:,} more like these: --all shows them")


def _calls(command: str, arguments: Sequence[str]) -> Iterator[Sequence[str]]:
    """The arguments of a command, as often as it has to be called: some take one at a time."""
    at_once = 1 if command in _ONE_AT_A_TIME else _ARGUMENTS_AT_ONCE
    return (arguments[start : start + at_once] for start in range(0, len(arguments), at_once))


@contextmanager
def _progress() -> Iterator[OnRead]:
    """A line for each thing that is being read, where there is a terminal to show it on."""
    console = err()
    if not console.is_terminal:
        yield lambda _what, _more: None
        return

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def on_read(what: str, more: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.advance(tasks[what], more)

        yield on_read
