"""Looking at dead letters, and sending them back to the queue they came from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import connection
from infra.cli.arguments import checked
from infra.cli.connection import Connection
from infra.cli.errors import Failure, explained
from infra.cli.output import err, moment, out, show, tell
from infra.names import in_template

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from handlers.dead_letters.message import Letter, Stay
    from handlers.dead_letters.stored import StoredLetters

_UNNAMED = ("", "")
_STARTS = "_start"
_TOLD_EVERY_SECONDS = 5.0

LetterId = Annotated[str | None, typer.Argument(metavar="ID", help="The letter's id.", show_default=False)]
Source = Annotated[
    str | None, typer.Option(help="Only letters of that function, or saga start: order_intake, saga_start ...")
]
Error = Annotated[str | None, typer.Option(help="Only letters with that error.")]


def dead_letters(
    context: typer.Context,
    letter_id: LetterId = None,
    source: Source = None,
    error: Error = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Only letters from that day on (UTC).")
    ] = None,
) -> None:
    """List the open dead letters, or show one.

    One is shown with all the message held, customer data included, and its former stays. It takes s3:ListBucket and
    s3:GetObject on the bucket of letters.
    """
    letters = _letters(connection.of(context))
    if letter_id is None:
        _list(letters, source, error, since.date() if since else None)
    elif source or error or since:
        raise Failure("an id says which letter: leave --source, --error and --since out", status=2)
    else:
        _show(letters, letter_id)


def redrive(
    context: typer.Context,
    letter_id: LetterId = None,
    *,
    source: Source = None,
    error: Error = None,
    every: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="How many a second at most.")] = 10,
    mended: Annotated[
        bool, typer.Option("--mended", help="Send nothing: another command did what the letters ask for. Mark them.")
    ] = False,
) -> None:
    """Send dead letters back to their queues.

    One, those of a source or with an error, or all; each is marked, and no longer open. Interrupted, it may be
    repeated: a letter that was sent twice does no harm. One that fails again comes back with its history. It takes
    s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the bucket of letters, and sqs:SendMessage on the
    queues.
    """
    if [letter_id is not None, bool(source or error), every].count(True) != 1:
        raise Failure("say which letters: an id, --source and --error, or --all", status=2)
    pipeline = connection.of(context)
    letters = _letters(pipeline)
    keys = letters.open(source=source, error=error) if letter_id is None else _open(letters, letter_id)
    if not keys:
        _tell_none(source, error)
        return
    done = _Redriving(pipeline, letters, rate, mended=mended).redrive(keys)
    tell(out(), f"{done} of {len(keys)} {'marked' if mended else 'redriven'}")
    if done < len(keys):
        raise typer.Exit(1)


def _letters(pipeline: Connection) -> StoredLetters:
    from handlers.dead_letters.stored import StoredLetters  # noqa: PLC0415 - see the package

    return StoredLetters(pipeline.client("s3"), pipeline.outputs["DeadLetterBucketName"])


def _keys(letters: StoredLetters, letter_id: str) -> list[str]:
    """The keys of the letter with that id, open or redriven. Raises Failure where there is none."""
    keys = letters.of(checked(letter_id, "letter id"))
    if not keys:
        raise Failure(f"there is no letter {letter_id}")
    return keys


def _open(letters: StoredLetters, letter_id: str) -> list[str]:
    """The keys of the open letter with that id: two, where it was told of twice. Raises Failure where there is none."""
    from handlers.dead_letters.message import OPEN  # noqa: PLC0415 - see the package

    keys = [key for key in _keys(letters, letter_id) if key.startswith(OPEN)]
    if not keys:
        raise Failure(f"letter {letter_id} was redriven, and has not come back")
    return keys


def _list(letters: StoredLetters, source: str | None, error: str | None, since: date | None) -> None:
    keys = letters.open(source=source, error=error, since=since)
    if not keys:
        _tell_none(source, error, since)
        return
    columns = ("when", "source", "error", "tries", "id")
    found = (letter for _, letter in letters.read_all(keys))
    show(out(), columns, [(_when(each), each.source, each.error, str(each.tries), each.letter_id) for each in found])


def _tell_none(*filters: object) -> None:
    """Tell that no letter is open, or none that passes the filters: others may be."""
    tell(err(), "no such letter is open" if any(filters) else "no letter is open")


def _show(letters: StoredLetters, letter_id: str) -> None:
    [(_, letter)] = letters.read_all(_keys(letters, letter_id)[:1])
    rows = [("letter", letter.letter_id), ("source", letter.source)]
    rows += [(f"stay {number}", told) for number, stay in enumerate(letter.stays, start=1) for told in _stay(stay)]
    rows += [(name, value) for name, value in letter.attributes.items()]
    show(out(), _UNNAMED, [*rows, ("body", letter.body)])


def _stay(stay: Stay) -> Iterator[str]:
    yield f"{_when(stay)}, {stay.error} after {stay.tries} {'try' if stay.tries == 1 else 'tries'}"
    yield stay.reasons
    if stay.redriven_at:
        yield f"redriven {moment(stay.redriven_at.isoformat())}"


def _when(stay: Stay) -> str:
    return moment(stay.sent_at.isoformat())


class _Redriving:
    """Sends letters back, at a bounded rate."""

    def __init__(self, pipeline: Connection, letters: StoredLetters, rate: float, *, mended: bool) -> None:
        self._pipeline = pipeline
        self._letters = letters
        self._sqs = pipeline.client("sqs")
        self._every_seconds = 1 / rate
        self._mended = mended

    def redrive(self, keys: list[str]) -> int:
        """Redrive the open letters with these keys; returns how many that were. What could not be is told."""
        done = 0
        with _bar(len(keys)) as bar:
            console = bar.console if bar else err()
            told_at = next_at = time.monotonic()
            for number, key in enumerate(keys, start=1):
                time.sleep(max(0.0, next_at - time.monotonic()))
                next_at = time.monotonic() + self._every_seconds
                done += self._redriven(key, console)
                if bar:
                    bar.update(bar.task_ids[0], completed=number)
                elif time.monotonic() - told_at > _TOLD_EVERY_SECONDS:
                    told_at = time.monotonic()
                    tell(console, f"{number} of {len(keys)}")
        return done

    def _redriven(self, key: str, console: Console) -> bool:
        """Send a letter and mark it. Whether that could be done: somebody else may have, which is as well."""
        letter = self._letters.read(key)
        if letter is None:
            return True
        if self._mended:
            self._letters.mark_redriven(key, letter, datetime.now(UTC))
            return True
        queue = self._pipeline.outputs.get(f"{in_template(letter.source)}QueueUrl")
        if queue is None:
            tell(console, f"{letter.letter_id} came from no queue: {_instead(self._pipeline, letter)}")
            return False
        try:
            self._sqs.send_message(
                QueueUrl=queue, MessageBody=letter.body, MessageAttributes=_known_again(letter.letter_id, key)
            )
            self._letters.mark_redriven(key, letter, datetime.now(UTC))
        except Exception as problem:
            why = explained(problem)
            if why is None:
                raise
            tell(console, f"{letter.letter_id} could not be redriven: {why}")
            return False
        return True


def _known_again(letter_id: str, key: str) -> dict[str, Any]:
    """The attributes by which functions know a redriven message."""
    from handlers.dead_letters.attributes import LETTER, MESSAGE_ID  # noqa: PLC0415 - see the package

    known = {MESSAGE_ID: letter_id, LETTER: key}
    return {name: {"DataType": "String", "StringValue": value} for name, value in known.items()}


def _instead(pipeline: Connection, letter: Letter) -> str:
    """What to do with a letter that came from no queue."""
    try:
        body = json.loads(letter.body)
        if letter.source.endswith(_STARTS):
            order_id = body["order_id"] if "order_id" in body else body["detail"]["data"]["order_id"]
            return pipeline.command("resume", order_id)
        published = body["detail"]["metadata"] if "detail" in body else body
        return pipeline.command("republish", published["stream"])
    except (LookupError, TypeError, ValueError):
        return f"see `{pipeline.command('dead-letters', letter.letter_id)}`"


@contextmanager
def _bar(total: int) -> Iterator[Progress | None]:
    """A progress bar, where there is a terminal to show it on."""
    console = err()
    if not console.is_terminal:
        yield None
        return

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        bar.add_task("", total=total)
        yield bar
