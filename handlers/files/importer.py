"""Imports a dropped file: its orders go to order intake, what became of them goes into a report.

One invocation does as much as it has time for, and the next one continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath

from handlers.files.batch import Candidate, candidate, decide_batch
from handlers.files.csv_profile import UnknownProfile, profile_names, read_profile
from handlers.files.dropped_file import INCOMING, DroppedFile, Gone
from handlers.files.progress import Progress, Report
from handlers.files.reader import BrokenFile, FileOrder, Position, Stream, read_csv, read_ndjson
from handlers.files.submitting import MAX_KEYS, Markers, OrderQueue
from handlers.intake.parties import Parties

STOP_MS = 15_000
"""An invocation stops when this little of the function's time is left: a batch takes less, retries included."""
FINISH_MS = 40_000
"""What a copy of the largest file may take; with less time left, the next invocation finishes the import."""
BATCHES_PER_CHECKPOINT = 10
"""How many batches, at most, are decided again after a crash; only the last of them is sent again."""

_BATCH_BYTES = 1024 * 1024  # of the file


class Outcome(StrEnum):
    """What an invocation leaves: a finished import, one to be continued, or nothing to do, for the file is gone."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    GONE = "gone"


class FileImporter:
    """Imports one dropped file.

    Killed anywhere and started again, it continues at its checkpoint; only the batch that was under way is sent again,
    under the same message ids, and order intake places each order once.
    """

    def __init__(self, file: DroppedFile, markers: Markers, queue: OrderQueue, parties: Parties) -> None:
        self._file = file
        self._parties = parties
        self._markers = markers
        self._queue = queue

    def work(self, remaining_ms: Callable[[], int]) -> Outcome:
        """Continue the import, or begin it, while there is time; ``remaining_ms`` says how many milliseconds."""
        try:
            progress = self._file.progress() or Progress(started_at=_now())
            finished = self._continue(progress, remaining_ms)
        except Gone:
            self._file.forget()
            return Outcome.GONE
        if not finished:
            self._file.save(progress)
            return Outcome.UNFINISHED
        return Outcome.FINISHED

    def _continue(self, progress: Progress, remaining_ms: Callable[[], int]) -> bool:
        stream = self._file.open(progress.position.offset)
        error, number = None, 0
        try:
            for number, batch in enumerate(self._batches(stream, progress.position), start=1):
                self._submit(batch, progress)
                if remaining_ms() < STOP_MS:
                    return False
                if number % BATCHES_PER_CHECKPOINT == 0:
                    self._file.save(progress)
        except BrokenFile as broken:
            error = str(broken)
        if number and remaining_ms() < FINISH_MS:
            return False
        self._file.finish(self._report(progress, error))
        return True

    def _batches(self, stream: Stream, start: Position) -> Iterator[list[Candidate]]:
        """The file's orders in batches. Raises BrokenFile after the batch of what comes before the broken place."""
        version = self._file.version
        if self._parties.shop_of_folder(version.folder) is None:
            raise BrokenFile(f"a file goes into the folder of its shop, {INCOMING}<shop>/; {version.key} is in none")
        batch: list[Candidate] = []
        begun, broken = start.offset, None
        try:
            for order in orders(version.path_in_folder, stream, start):
                each = candidate(order, version.import_id, version.folder)
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
        order_ids = {each.order_id: None for each in batch if each.order_id is not None and each.identifiable}
        decision = decide_batch(batch, self._markers.first_rows(order_ids))
        self._queue.send(decision.bodies)
        self._markers.put(decision.first_rows)
        progress.accepted += decision.accepted
        for rejection in decision.rejections:
            progress.reject(rejection)
        progress.position = batch[-1].end

    def _report(self, progress: Progress, error: str | None) -> Report:
        end = progress.position
        return Report(
            file=self._file.version.key,
            version=self._file.version.version_id,
            started_at=progress.started_at,
            finished_at=_now(),
            rows=end.rows - bool(end.header),
            accepted=progress.accepted,
            rejected_count=progress.rejected_count,
            rejected=progress.rejected,
            error=error,
        )


def orders(path: str, stream: Stream, start: Position) -> Iterator[FileOrder]:
    """The orders of the file at ``path`` in its shop's folder, which says how to read it.

    Raises:
        BrokenFile: the path does not say how to read it, or see `handlers.files.reader`.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".ndjson":
        return read_ndjson(stream, start)
    if suffix != ".csv":
        raise BrokenFile("a file of orders ends in .csv or .ndjson")
    name, inside, _ = path.partition("/")
    if not inside:
        names = ", ".join(profile_names())
        raise BrokenFile(
            f"a CSV file goes into the folder of its profile, {INCOMING}<shop>/<profile>/; there is: {names}"
        )
    try:
        return read_csv(stream, read_profile(name), start)
    except UnknownProfile as unknown:
        raise BrokenFile(str(unknown)) from unknown


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
