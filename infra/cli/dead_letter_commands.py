"""Commands about dead-letter messages: showing them, and sending them back to the queue they came from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.dead_letters.message import OPEN, DeadLetterMessage, Failure
from handlers.operations.redrive import NoQueue, Redriven, mark_resolved, replacement
from handlers.operations.redrive import redrive as redrive_messages
from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.explaining import explained
from infra.cli.output import err, out, print_line, print_table, progress_bar
from infra.cli.text import moment

_UNNAMED = ("", "")
_PRINTED_EVERY_SECONDS = 5.0

MessageId = Annotated[
    str | None, typer.Argument(metavar="ID", help="The id of the dead-letter message.", show_default=False)
]
Source = Annotated[
    str | None, typer.Option(help="Only messages of that function, or saga start: order_intake, saga_start ...")
]
Error = Annotated[str | None, typer.Option(help="Only messages with that error.")]


def dead_letters(
    context: typer.Context,
    message_id: MessageId = None,
    source: Source = None,
    error: Error = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Only messages from that day on (UTC)."),
    ] = None,
) -> None:
    """List the dead-letter messages, or show one.

    Those that were redriven are not listed. One message is shown with all that it holds, customer data included, and
    with its earlier failures.

    Needs s3:ListBucket and s3:GetObject on the bucket of dead-letter messages.
    """
    bucket = connection.of(context).dead_letters
    if message_id is None:
        _list(bucket, source, error, since.date() if since else None)
    elif source or error or since:
        raise CommandError("an id names the message: leave out --source, --error and --since", status=2)
    else:
        _show(bucket, message_id)


def redrive(
    context: typer.Context,
    message_id: MessageId = None,
    *,
    source: Source = None,
    error: Error = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead-letter message.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="How many a second at most.")] = 10,
    resolved: Annotated[
        bool,
        typer.Option("--resolved", help="Send nothing: another command did what the messages ask for. Mark them."),
    ] = False,
) -> None:
    """Send dead-letter messages back to their queues.

    One message, those of a source or with an error, or all. Each is marked as redriven, and is no longer listed.
    Interrupted, the command may be repeated: a message that is sent twice does no harm. One that fails again is listed
    again, with its earlier failures.

    Needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the bucket of dead-letter messages, and
    sqs:SendMessage on the queues.
    """
    if [message_id is not None, bool(source or error), every].count(True) != 1:
        raise CommandError("say which messages: an id, --source and --error, or --all", status=2)
    pipeline = connection.of(context)
    bucket = pipeline.dead_letters
    keys = _open_keys_of(bucket, message_id) if message_id else bucket.open_keys(source=source, error=error)
    if not keys:
        _print_none(source, error)
        return
    outcomes = (
        mark_resolved(bucket, keys)
        if resolved
        else redrive_messages(
            bucket, keys, pipeline.client("sqs"), pipeline.queue_url, operator=pipeline.operator, rate=rate
        )
    )
    done = _follow(pipeline, outcomes, len(keys))
    print_line(out(), f"{done} of {len(keys)} {'marked as resolved' if resolved else 'redriven'}")
    if done < len(keys):
        raise typer.Exit(1)


def _keys_of(bucket: DeadLetterBucket, message_id: str) -> list[str]:
    """The keys of the message with that id, open or redriven. Raises CommandError where there is none."""
    keys = bucket.keys_of(checked(message_id, "message id"))
    if not keys:
        raise CommandError(f"there is no dead-letter message {message_id}")
    return keys


def _open_keys_of(bucket: DeadLetterBucket, message_id: str) -> list[str]:
    """The keys of the open message with that id: two, where it was stored twice. Raises CommandError without one."""
    keys = [key for key in _keys_of(bucket, message_id) if key.startswith(OPEN)]
    if not keys:
        raise CommandError(f"message {message_id} was redriven, and has not failed again")
    return keys


def _list(bucket: DeadLetterBucket, source: str | None, error: str | None, since: date | None) -> None:
    keys = bucket.open_keys(source=source, error=error, since=since)
    if not keys:
        _print_none(source, error, since)
        return
    columns = ("when", "source", "error", "attempts", "id")
    found = (message for _, message in bucket.read_all(keys))
    rows = [(moment(each.sent_at), each.source, each.error, str(each.attempts), each.message_id) for each in found]
    print_table(out(), columns, rows)


def _print_none(*filters: object) -> None:
    """Say that there are no messages, or none that pass the filters: others may be there."""
    print_line(err(), "there are no such dead-letter messages" if any(filters) else "there are no dead-letter messages")


def _show(bucket: DeadLetterBucket, message_id: str) -> None:
    [(_, message)] = bucket.read_all(_keys_of(bucket, message_id)[:1])
    rows = [("message", message.message_id), ("source", message.source)]
    rows += [(f"failure {number}", line) for number, each in enumerate(message.failures, 1) for line in _lines(each)]
    rows += message.attributes.items()
    print_table(out(), _UNNAMED, [*rows, ("body", message.body)])


def _lines(failure: Failure) -> Iterator[str]:
    attempts = f"{failure.attempts} {'attempt' if failure.attempts == 1 else 'attempts'}"
    yield f"{moment(failure.sent_at)}, {failure.error} after {attempts}"
    yield failure.reasons
    if failure.redriven_at:
        yield f"redriven {moment(failure.redriven_at)}"


def _follow(pipeline: Connection, outcomes: Iterator[Redriven], total: int) -> int:
    """Show how far a redrive is, and what could not be redriven; returns how many messages were."""
    done = 0
    with progress_bar(total, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        printed_at = time.monotonic()
        for number, outcome in enumerate(outcomes, start=1):
            if outcome.problem is None:
                done += 1
            else:
                print_line(bar.console, _not_redriven(pipeline, outcome))
            bar.update(number)
            if not bar.shown and time.monotonic() - printed_at > _PRINTED_EVERY_SECONDS:
                printed_at = time.monotonic()
                print_line(bar.console, f"{number} of {total}")
    return done


def _not_redriven(pipeline: Connection, outcome: Redriven) -> str:
    assert outcome.message is not None
    assert outcome.problem is not None
    if isinstance(outcome.problem, NoQueue):
        return f"{outcome.problem}: {_instead(pipeline, outcome.message)}"
    return f"{outcome.message.message_id} could not be redriven: {explained(outcome.problem)}"


def _instead(pipeline: Connection, message: DeadLetterMessage) -> str:
    command = replacement(message)
    if command is None:
        return f"see `{pipeline.command('dead-letters', message.message_id)}`"
    return pipeline.command(*command)
