"""Orders as they are submitted: what a file is, and the orders in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from handlers.files.csv_profile import UnknownProfile, profile_names, read_profile
from handlers.files.reader import BEGINNING, MAX_NDJSON_BYTES, FileOrder, read_csv, read_ndjson
from infra.cli.command_error import CommandError

STDIN = "-"
_LINES = {".ndjson", ".jsonl"}


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The file of that name, or standard input.

    Raises:
        CommandError: it cannot be opened.
    """
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - what goes wrong later is not about opening it
    except OSError as unreadable:
        raise CommandError(f"{name}: {unreadable.strerror}", status=2) from unreadable
    with file:
        yield file


def read(file: BinaryIO, name: str, csv_profile: str | None) -> Iterator[FileOrder]:
    """The orders of a file, one at a time, valid or not: CSV if there is a profile, a JSON document, or NDJSON.

    Raises:
        CommandError: it is unknown how to read the file.
        BrokenFile: nothing further can be read from it.
    """
    suffix = Path(name).suffix.lower()
    if csv_profile is not None:
        try:
            return read_csv(file, read_profile(csv_profile))
        except UnknownProfile as unknown:
            raise CommandError(str(unknown), status=2) from unknown
    if suffix == ".csv":
        raise CommandError(
            f"{name}: name the profile of its columns with --csv-profile; there is: {', '.join(profile_names())}",
            status=2,
        )
    return read_ndjson(file) if suffix in _LINES else _json(file, name)


def _json(file: BinaryIO, name: str) -> Iterator[FileOrder]:
    """One JSON document over however many lines, or one in each line."""
    first = b""
    while not first.strip() and (line := file.readline(MAX_NDJSON_BYTES)):
        first += line
    if not first.rstrip().endswith(b"}") or first.strip() == b"}":
        document = first + file.read(MAX_NDJSON_BYTES)
        try:
            detail = json.loads(document)
        except (ValueError, RecursionError) as wrong:
            raise CommandError(f"{name}: not readable as JSON: {wrong}") from wrong
        order_id = detail.get("order_id") if isinstance(detail, dict) else None
        named = order_id if isinstance(order_id, str) else None
        return iter([FileOrder(named, detail, (), (), 0, 0, BEGINNING)])
    return read_ndjson(_Rest(first, file))


class _Rest:
    """A stream of which the beginning was read before."""

    def __init__(self, beginning: bytes, stream: BinaryIO) -> None:
        self._beginning = beginning
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if self._beginning:
            part, self._beginning = self._beginning[:size], self._beginning[size:]
            return part
        return self._stream.read(size)
