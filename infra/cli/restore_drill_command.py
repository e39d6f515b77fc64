"""The command that restores the tables under other names, and tells whether that is what it should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from handlers.operations.audit.copy import UnreadableCopy
from handlers.operations.restore_drill.comparison import Difference
from handlers.operations.restore_drill.drill import Result, Step, examine
from handlers.operations.restore_drill.restoring import Tables, restorable, restored
from infra import signals
from infra.cli import connection
from infra.cli.arguments import duration, moment_of
from infra.cli.command_error import CommandError
from infra.cli.output import err, out, print_line, print_table
from infra.cli.text import moment
from infra.retention import BACKUPS

_SHOWN = 20
"""How many differences are shown unless all are asked for."""


def restore_drill(
    context: typer.Context,
    *,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The moment to restore; by default, the latest that can be restored."),
    ] = None,
    grace: Annotated[
        str,
        typer.Option(metavar="TIME", help="What occurred so shortly before that moment need not have shown by then."),
    ] = "15m",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the restored tables, and say how to put them to use.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help=f"Show every difference, not the first {_SHOWN}.")] = False,
) -> None:
    """Restore the tables under other names, and check them.

    Both tables are restored to one moment. First, whoever is in the ledger of erasures is erased from them. Then the
    log is read: no event of the audit copy up to that moment may be missing, every stream has to fold, money and goods
    have to balance, views to show that, and somebody to be behind each order. It tells how long each step took, and
    removes the tables, also after Ctrl-C. Nothing in use is written to.

    Exits with 1 if something differs. On AWS restoring takes 20 minutes at least, and usually less than an hour. The
    log is held in memory, some 2 kB for each event.

    Needs dynamodb:DescribeContinuousBackups and dynamodb:RestoreTableToPointInTime on both tables; on what they are
    restored as (`*-drill-*`) dynamodb:DescribeTable, DeleteTable, Scan, Query, GetItem, PutItem, UpdateItem, DeleteItem
    and BatchWriteItem; s3:ListBucket and s3:GetObject on the ledger and the audit copy; cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    source = Tables(pipeline.outputs["TableName"], pipeline.outputs["VaultTableName"])
    client, target = pipeline.client("dynamodb"), source.drill(datetime.now(UTC))
    grace_time = duration(grace)
    restoring = restorable(client, source, moment_of(at) if at else None)
    block = restored(
        client, source, target, restoring, keep=keep, poll_seconds=pipeline.poll_seconds, on_left=_print_left
    )
    try:
        with _steps() as steps:
            steps.begin(Step.RESTORE)
            with signals.leaving_undisturbed(block) as tables:
                result = examine(
                    client,
                    pipeline.client("s3"),
                    tables,
                    ledger=pipeline.outputs["ErasureLedgerName"],
                    audit=pipeline.outputs["AuditBucketName"],
                    settled=restoring - grace_time,
                    on_step=steps.begin,
                )
                steps.end()
    except UnreadableCopy as unreadable:
        raise CommandError(str(unreadable)) from unreadable
    finally:
        if keep:
            _print_adoption(target)
    print_table(out(), ("", ""), _report(result, restoring, grace_time, steps))
    if result.differences:
        _print_differences(result.differences, None if everything else _SHOWN)
        raise typer.Exit(1)
    print_line(err(), "no differences")


class _Steps:
    """How long each step took; each is shown as it begins."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.seconds: dict[Step, float] = {}
        self._show = show
        self._begun: tuple[Step, float] | None = None

    def begin(self, step: Step) -> None:
        """A step begins, and with that the one before ends."""
        self.end()
        self._begun = step, time.monotonic()
        self._show(step)

    def end(self) -> None:
        """The last step has ended."""
        if self._begun:
            step, began = self._begun
            self.seconds[step] = time.monotonic() - began


@contextmanager
def _steps() -> Iterator[_Steps]:
    """Shows steps: on a terminal with the time that the present one takes, elsewhere as lines."""
    console = err()
    if not console.is_terminal:
        yield _Steps(lambda step: print_line(console, step))
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(step: str) -> None:
            progress.reset(task, description=step)

        yield _Steps(show)


def _report(result: Result, restoring: datetime, grace: timedelta, steps: _Steps) -> Iterator[tuple[str, str]]:
    erased, read, took = result.erased, result.restored, steps.seconds
    yield "restored to", moment(restoring)
    yield "restoring took", _seconds(took[Step.RESTORE])
    yield "applying the ledger took", _seconds(took[Step.ERASE])
    yield "entries of the ledger", f"{erased.entries:,}"
    yield "persons erased again", f"{erased.found.orders:,}"
    yield "payment tokens erased again", f"{erased.found.payment_tokens:,}"
    yield "reading and comparing took", _seconds(took[Step.COMPARE])
    yield "events restored", f"{len(read.table.log):,}"
    yield "events of the audit copy compared", f"{len(read.copied):,}, up to {moment(restoring - grace)}"
    yield "orders", f"{len(read.snapshot.orders):,}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f} s"


def _print_differences(differences: Sequence[Difference], limit: int | None) -> None:
    print_line(err(), f"differences: {len(differences):,}")
    print_table(out(), ("", ""), islice(differences, limit))
    if limit is not None and len(differences) > limit:
        print_line(err(), f"... and {len(differences) - limit:,} more: --all shows them")


def _print_left(table: str) -> None:
    print_line(
        err(),
        f"{table} is still being restored, which nobody can end; once it is there, remove it: "
        f"aws dynamodb delete-table --table-name {table}",
    )


def _print_adoption(tables: Tables) -> None:
    """Print what restored tables lack, what sets that, and the settings that put them to use."""
    print_line(err(), f"kept: {tables.orders} and {tables.vault}")
    print_line(
        err(),
        "a restored table has no stream, TTL, point-in-time recovery and deletion protection; to set them, and to get "
        "the label of the stream, which the last command prints:",
    )
    for table in (tables.vault, tables.orders):
        for command in _completing(table, streams=table == tables.orders):
            print_line(out(), f"aws dynamodb {command}")
    print_line(err(), "to put them to use, in the settings of the environment, before it is deployed:")
    print_line(out(), "[adopt]")
    print_line(out(), f'orders = {{ name = "{tables.orders}", stream = "LABEL" }}')
    print_line(out(), f'vault = {{ name = "{tables.vault}" }}')


def _completing(table: str, *, streams: bool) -> Iterator[str]:
    yield f"update-time-to-live --table-name {table} --time-to-live-specification Enabled=true,AttributeName=expires_at"
    recovery = f"PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays={BACKUPS.days}"
    yield f"update-continuous-backups --table-name {table} --point-in-time-recovery-specification {recovery}"
    yield f"update-table --table-name {table} --deletion-protection-enabled"
    yield f"wait table-exists --table-name {table}"
    if streams:
        stream = "StreamEnabled=true,StreamViewType=NEW_IMAGE"
        yield f"update-table --table-name {table} --stream-specification {stream}"
        yield f"describe-table --table-name {table} --query Table.LatestStreamLabel --output text"
