"""Imports a dropped file in stretches: its orders go to order intake, what became of them into a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from uuid import UUID, uuid5

from handlers.files.check import rejected
from handlers.files.drop import INCOMING, Drop, Gone
from handlers.files.profile import UnknownProfile, profile_names, read_profile
from handlers.files.progress import Progress, Rejection, Report
from handlers.files.reader import BrokenFile, FileOrder, Position, Reason, Stream, read_csv, read_ndjson
from handlers.files.submitting import MAX_KEYS, Markers, OrderQueue
from handlers.intake.validation import canonical

STOP_MS = 15_000
"""A stretch ends when this little of the function's time is left: a batch takes less, retries included."""
FINISH_MS = 40_000
"""What a copy of the largest file may take; with less time left, the next stretch finishes the import."""

BATCHES_PER_CHECKPOINT = 10
_BATCH_BYTES = 1024 * 1024  # of the file
_MESSAGE_IDS = UUID("3d8e2c52-6a39-4a8b-9e0e-5f7a1c0b2d44")
_USABLE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# SQS does not take these characters, and JSON needs them nowhere but in strings.
_ESCAPED = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


class Outcome(StrEnum):
    """What a stretch comes to. An unfinished import takes another one; a file that is gone was imported before."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order of the file, decided as far as it can be by itself: its message, or the reasons against it."""

    order_id: str | None
    rows: tuple[int, int]
    reasons: Sequence[Reason]
    body: str
    end: Position

    @property
    def markable(self) -> bool:
        """Whether the order can be known again: one without a usable id is rejected wherever it stands."""
        return self.order_id is not None and _USABLE_ID.fullmatch(self.order_id) is not None


@dataclass(slots=True)
class Sorted:
    """What becomes of a batch: messages to send, orders met for the first time, and what to report."""

    bodies: list[str] = field(default_factory=list)
    met: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    rejections: list[Rejection] = field(default_factory=list)


def sort(batch: Iterable[Candidate], marked: Mapping[str, int]) -> Sorted:
    """Decide a batch; ``marked`` are the rows in which its orders began, of those that were met before.

    An order that began in another row returns, and is rejected. One that began in the same row was met before a crash:
    it has been sent already.
    """
    done = Sorted()
    for each in batch:
        first_row = None
        if each.order_id is not None and each.markable:
            first_row = marked.get(each.order_id, done.met.get(each.order_id))
            if first_row is None:
                done.met[each.order_id] = each.rows[0]
        if first_row is not None and first_row != each.rows[0]:
            returns = Reason(f"returns to the order that began in row {first_row}", each.rows[0])
            done.rejections.append(Rejection.of(each.order_id, each.rows, [returns]))
        elif each.reasons:
            done.rejections.append(Rejection.of(each.order_id, each.rows, each.reasons))
        else:
            done.accepted += 1
            if first_row is None:
                done.bodies.append(each.body)
    return done


class Import:
    """The import of one dropped file.

    Killed anywhere and begun again, it goes on at its checkpoint; only the batch that was under way is sent again,
    under the same message ids, and order intake places each order once.
    """

    def __init__(self, drop: Drop, markers: Markers, queue: OrderQueue) -> None:
        self._drop = drop
        self._markers = markers
        self._queue = queue

    def stretch(self, remaining_ms: Callable[[], int]) -> Outcome:
        """Go on while there is time."""
        try:
            progress = self._drop.progress() or Progress(started_at=_now())
            finished = self._go_on(progress, remaining_ms)
        except Gone:
            self._drop.forget()
            return Outcome.GONE
        if not finished:
            self._drop.save(progress)
            return Outcome.UNFINISHED
        return Outcome.FINISHED

    def _go_on(self, progress: Progress, remaining_ms: Callable[[], int]) -> bool:
        stream = self._drop.open(progress.position.offset)
        error, number = None, 0
        try:
            for number, batch in enumerate(self._batches(stream, progress.position), start=1):
                self._submit(batch, progress)
                if remaining_ms() < STOP_MS:
                    return False
                if number % BATCHES_PER_CHECKPOINT == 0:
                    self._drop.save(progress)
        except BrokenFile as broken:
            error = str(broken)
        if number and remaining_ms() < FINISH_MS:
            return False
        self._drop.finish(self._report(progress, error))
        return True

    def _batches(self, stream: Stream, start: Position) -> Iterator[list[Candidate]]:
        """The file's orders in batches; where the file breaks, what came before is a batch still. Raises BrokenFile."""
        batch: list[Candidate] = []
        begun, broken = start.offset, None
        try:
            for order in orders(self._drop.dropped.path, stream, start):
                each = candidate(order, self._drop.dropped.import_id)
                batch.append(each)
                if len(batch) == MAX_KEYS or each.end.offset - begun >= _BATCH_BYTES:
                    yield batch
                    batch, begun = [], each.end.offset
        except BrokenFile as found:
            broken = found
        if batch:
            yield batch
        if broken is not None:
            raise broken

    def _submit(self, batch: Sequence[Candidate], progress: Progress) -> None:
        met = {each.order_id: None for each in batch if each.order_id is not None and each.markable}
        done = sort(batch, self._markers.first_rows(met))
        self._queue.send(done.bodies)
        self._markers.put(done.met)
        progress.accepted += done.accepted
        for rejection in done.rejections:
            progress.reject(rejection)
        progress.position = batch[-1].end

    def _report(self, progress: Progress, error: str | None) -> Report:
        end = progress.position
        return Report(
            file=self._drop.dropped.key,
            version=self._drop.dropped.version,
            started_at=progress.started_at,
            finished_at=_now(),
            rows=end.rows - bool(end.header),
            accepted=progress.accepted,
            rejected_count=progress.rejected_count,
            rejected=progress.rejected,
            error=error,
        )


def orders(path: str, stream: Stream, start: Position) -> Iterator[FileOrder]:
    """The orders of the file at ``path`` below ``incoming/``, which says what it is.

    Raises:
        BrokenFile: nobody knows how to read it, or see `handlers.files.reader`.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".ndjson":
        return read_ndjson(stream, start)
    if suffix != ".csv":
        raise BrokenFile("a file of orders ends in .csv or .ndjson")
    name, inside, _ = path.partition("/")
    if not inside:
        names = ", ".join(profile_names())
        raise BrokenFile(f"a CSV file goes into the folder of its profile, {INCOMING}<profile>/; there is: {names}")
    try:
        return read_csv(stream, read_profile(name), start)
    except UnknownProfile as unknown:
        raise BrokenFile(str(unknown)) from unknown


def candidate(order: FileOrder, import_id: str) -> Candidate:
    """The order, decided by itself. Its message is what EventBridge would deliver, with an id that stays the same."""
    reasons = rejected(order)
    event = {
        "id": str(uuid5(_MESSAGE_IDS, f"{import_id}/{order.order_id}")),
        "detail-type": "OrderSubmitted",
        "source": "files",
        "detail": order.detail,
    }
    body = "" if reasons else canonical(event).translate(_ESCAPED)
    return Candidate(order.order_id, (order.first_row, order.last_row), reasons, body, order.end)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
