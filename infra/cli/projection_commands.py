"""Commands about projections: replays into them, and their generations."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Annotated

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from handlers.operations.replay import Replaying, Window, archived_until, replaying, whole_minute, windows
from handlers.operations.rollback import rollback as roll_back
from handlers.projections.registry import PROJECTIONS
from handlers.projections.replays import ARCHIVE_LAG
from infra import signals
from infra.cli import connection
from infra.cli.arguments import duration, moment_of
from infra.cli.command_error import CommandError
from infra.cli.output import ProgressBar, err, out, print_line, print_table, progress_bar
from infra.cli.projection_argument import ProjectionName, projection
from infra.cli.text import moment

_MINUTE = timedelta(minutes=1)


def replay(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="From when on: 2026-11-21, 2026-11-21T08:30.")],
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Until when; by default, as far as the archive is surely complete."),
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="PROJECTION", help="Only into this projection.")] = None,
    window: Annotated[str, typer.Option(metavar="DURATION", help="How much time to replay in one go.")] = "1h",
) -> None:
    """Deliver archived events to projections again.

    The audit copy receives them too, and nobody else. They are replayed one window of time after the other. Ctrl-C
    stops after the window in progress, a second Ctrl-C at once. An event that is delivered twice changes nothing.
    """
    pipeline = connection.of(context)
    now = datetime.now(UTC)
    complete = now if pipeline.emulated else archived_until(now)
    whole = _period(start, end, now, complete)
    length = duration(window)
    if length < _MINUTE or length % _MINUTE:
        raise CommandError(f"--window {window}: whole minutes, and one at least", status=2)
    wanted = projection(only) if only else None
    options = [*(["--only", only] if only else []), "--window", window]

    def command(since: datetime) -> str:
        return pipeline.command("replay", "--from", _iso(since), "--to", _iso(whole.end), *options)

    archive = pipeline.outputs["ArchiveName"]
    block = replaying(pipeline.client("events"), pipeline.client("sqs"), archive, wanted, whole.start)
    with (
        signals.leaving_undisturbed(block) as replayer,
        _stop_request(pipeline.poll_seconds) as stop,
        _progress(whole) as bar,
    ):
        try:
            _replay_all(replayer, whole, length, stop, bar)
            delivered = replayer.delivered(poll_seconds=pipeline.poll_seconds, settle_seconds=pipeline.settle_seconds)
        except (Exception, signals.Ended):
            if replayer.reached < whole.end:
                print_line(bar.console, f"to continue: {command(replayer.reached)}")
            raise
    print_line(out(), f"{delivered} events delivered, of {Window(whole.start, replayer.reached)}")
    if replayer.reached < whole.end:
        print_line(err(), f"stopped; to continue: {command(replayer.reached)}")
        raise typer.Exit(128 + signal.SIGINT)
    if whole.end > complete:
        later = moment(whole.end + ARCHIVE_LAG)
        print_line(err(), f"the newest events may not be in the archive yet; after {later}: {command(complete)}")


def rollback(context: typer.Context, name: ProjectionName) -> None:
    """Return to the previous generation of a projection.

    Readers see it at once. It works while the previous generation is kept.
    """
    projection(name)
    known = roll_back(connection.of(context).generations, name)
    print_line(out(), f"readers see generation {known.live} of {name} again; to undo this, repeat the command")


def generations(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The projection.", show_default="all")] = None,
) -> None:
    """Show the generations of projections."""
    if name is not None:
        projection(name)
    store = connection.of(context).generations
    rows = [
        (each, generation, state.value)
        for each in ([name] if name else sorted(PROJECTIONS))
        for generation, state in store.read(each).states.items()
    ]
    print_table(out(), ("projection", "generation", "state"), rows)


def _period(start: str, end: str | None, now: datetime, complete: datetime) -> Window:
    """The time to replay; without an end, until ``complete``."""
    first, last = whole_minute(moment_of(start)), moment_of(end) if end else complete
    for name, value in (("--from", first), ("--to", last)):
        if value > now:
            raise CommandError(f"{name} is in the future: {moment(value)}", status=2)
    if first >= last:
        until = "--to" if end else "the time until which the archive is surely complete"
        raise CommandError(f"--from is not before {until}: {Window(first, last)}", status=2)
    return Window(first, last)


def _replay_all(replayer: Replaying, whole: Window, length: timedelta, stop: _StopRequest, bar: ProgressBar) -> None:
    """Replay one window after the other, until Ctrl-C asks to stop."""

    def meanwhile(covered: datetime) -> None:
        bar.update((covered - whole.start).total_seconds())
        if stop.wait():
            print_line(bar.console, "stopping after the window in progress; Ctrl-C once more stops at once")

    for piece in windows(whole, length):
        replayer.run(piece, meanwhile)
        bar.update((piece.end - whole.start).total_seconds())
        if not bar.shown:
            print_line(bar.console, f"replayed {piece}")
        if stop.asked:
            return


class _StopRequest:
    """Whether Ctrl-C has asked to stop. A second one ends the command."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._asked = threading.Event()
        self._noticed = False

    @property
    def asked(self) -> bool:
        """Whether it has."""
        return self._asked.is_set()

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take Ctrl-C.

        Raises:
            Ended: it is the second one.
        """
        if self.asked:
            signals.end(number, frame)
        self._asked.set()

    def wait(self) -> bool:
        """Wait a while, at most until it is asked; returns whether it was asked since it waited before."""
        if self.asked:
            time.sleep(self._poll_seconds)
        else:
            self._asked.wait(self._poll_seconds)
        news, self._noticed = self.asked and not self._noticed, self.asked
        return news


@contextmanager
def _stop_request(poll_seconds: float) -> Iterator[_StopRequest]:
    """Let Ctrl-C ask to stop, for the time of the block."""
    stop = _StopRequest(poll_seconds)
    before = signal.signal(signal.SIGINT, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(whole: Window) -> Iterator[ProgressBar]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    seconds = (whole.end - whole.start).total_seconds()
    with progress_bar(seconds, *columns, description=str(whole)) as bar:
        yield bar


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
