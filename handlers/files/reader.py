"""Reads a file of orders as a stream, one order at a time: CSV by a profile, or NDJSON.

The rows of an order follow each other. Reading can continue after any order, in another process too, with the same
result.
Memory does not depend on the file: a row, an order and a chunk of the stream are all that is held.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from events.integration import MAX_CANONICAL_BYTES
from handlers.files.csv_profile import Profile, Row, usable_id

MAX_ROW_BYTES = 128 * 1024
"""What a row of CSV may have; csv takes fields of as many characters."""
MAX_NDJSON_BYTES = 1024 * 1024
"""What a line of NDJSON may have: an order in its canonical form is much smaller, white space and escapes are not."""
MAX_ORDER_BYTES = 8 * 1024 * 1024
"""What the rows of an order may take of a CSV file, far more than any order takes: reading has to end at some point."""

_CHUNK = 64 * 1024
_LEAST_LINE = len('{"quantity":1,"sku":"","unit_price":1}')


class BrokenFile(Exception):
    """Nothing further can be read from the file; the message is one line that says where and why."""


class Stream(Protocol):
    """Bytes to be read: a file, or the body of S3's answer."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to continue: the offset in bytes, how many rows lie before it, and the columns of a CSV file."""

    offset: int = 0
    rows: int = 0
    header: tuple[str, ...] = ()


BEGINNING = Position()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an order is rejected: what is wrong with its ``field``, in which row, as far as either is known."""

    message: str
    row: int | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class FileOrder:
    """An order of a file.

    ``detail`` is its ``OrderSubmitted``, any JSON, not validated yet; it is not complete if there are ``problems``,
    which are about the rows themselves. ``line_rows`` are the rows of its lines, where they have rows of their own.
    Rows are numbered from 1; the header is one. ``end`` is where the next order begins. ``wrong_cells`` says, by
    row and field, what is wrong with a cell of which the text is in ``detail`` instead of a number.
    """

    order_id: str | None
    detail: Any
    problems: Sequence[Reason]
    line_rows: Sequence[int]
    first_row: int
    last_row: int
    end: Position
    wrong_cells: Mapping[tuple[int, str], str] = field(default_factory=dict)


def read_ndjson(stream: Stream, start: Position = BEGINNING) -> Iterator[FileOrder]:
    """The orders of an NDJSON file in UTF-8: a line is an ``OrderSubmitted`` detail. Empty lines count as rows only.

    ``stream`` begins at ``start``, the end of an order read before.

    Raises:
        BrokenFile: the file is not in UTF-8, or holds no order.
    """
    offset, row, found = start.offset, start.rows, start.offset > 0
    for line, length in _lines(stream, MAX_NDJSON_BYTES):
        offset, row = offset + length, row + 1
        if length > MAX_NDJSON_BYTES:
            problems = [Reason(f"longer than {MAX_NDJSON_BYTES} bytes", row)]
            detail = None
        else:
            text = _decoded(line, "utf-8-sig" if row == 1 else "utf-8", row)
            if not text.strip():
                continue
            detail, problems = _json(text, row)
        order_id = detail.get("order_id") if isinstance(detail, dict) else None
        found = True
        yield FileOrder(
            order_id if isinstance(order_id, str) else None, detail, problems, (), row, row, Position(offset, row)
        )
    if not found:
        raise BrokenFile("there is no order in it")


def read_csv(stream: Stream, profile: Profile, start: Position = BEGINNING) -> Iterator[FileOrder]:
    """The orders of a CSV file with a header.

    ``stream`` begins at ``start``, the end of an order read before. A row that is not as it should be is a problem of
    the order it names; if it does not get that far, of the order before it. Empty lines count as rows only.

    Raises:
        BrokenFile: the file lacks a column, holds no row, is not in the profile's encoding, has a row longer than
            ``MAX_ROW_BYTES``, or one that is wrong and goes over several lines: where rows begin is unknown from there;
            or an order in it takes more than ``MAX_ORDER_BYTES``; or two of its columns have a name that the profile
            maps.
    """
    rows = _Rows(stream, profile.encoding, start)
    header = start.header or rows.header()
    missing = [column for column in profile.columns.values() if column not in header]
    if missing:
        raise BrokenFile(f"no column {', '.join(missing)}; it has {', '.join(header) or 'none'}")
    repeated = [column for column in profile.columns.values() if header.count(column) > 1]
    if repeated:
        raise BrokenFile(f"more than one column is named {', '.join(repeated)}; remove or rename the others")
    places = {name: header.index(column) for name, column in profile.columns.items()}
    order: _Order | None = None
    begun = start.offset
    for fields, unreadable in rows:
        if not fields and not unreadable:
            continue
        wrong = unreadable or ("" if len(fields) == len(header) else f"{len(fields)} fields, not {len(header)}")
        if wrong and rows.spans_lines:
            raise BrokenFile(f"row {rows.number} goes over several lines, and has {wrong}; is a quote not closed?")
        named = fields[places["order_id"]] if len(fields) > places["order_id"] else None
        if order is None or (named is not None and named != order.named):
            if order is not None:
                yield order.made(profile)
            begun = rows.begun
            order = _Order(named, rows.number)
        elif rows.offset - begun > MAX_ORDER_BYTES:
            raise BrokenFile(f"the order that begins in row {order.first_row} takes more than {MAX_ORDER_BYTES} bytes")
        if wrong:
            order.problems.append(Reason(wrong, rows.number))
        else:
            order.add({name: fields[place] for name, place in places.items()}, profile, rows.number)
        order.last_row, order.end = rows.number, Position(rows.offset, rows.number, header)
    if order is not None:
        yield order.made(profile)
    elif start.offset == 0:
        raise BrokenFile("there is no line in it")


@dataclass(slots=True)
class _Order:
    """The rows of an order so far."""

    named: str | None
    first_row: int
    last_row: int = 0
    end: Position = BEGINNING
    first: Row | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    line_rows: list[int] = field(default_factory=list)
    problems: list[Reason] = field(default_factory=list)
    wrong_cells: dict[tuple[int, str], str] = field(default_factory=dict)
    _least_size: int = 0

    def add(self, row: Row, profile: Profile, number: int) -> None:
        self.first = self.first or row
        line, wrong = profile.line(row)
        self._least_size += _LEAST_LINE + sum(len(value) for value in line.values() if isinstance(value, str))
        if self._least_size <= MAX_CANONICAL_BYTES:
            self.lines.append(line)
            self.line_rows.append(number)
            self.wrong_cells |= {(number, name): reason for name, reason in wrong.items()}

    def made(self, profile: Profile) -> FileOrder:
        if self._least_size > MAX_CANONICAL_BYTES:
            self.problems.append(Reason(f"larger than {MAX_CANONICAL_BYTES} bytes"))
        detail = profile.order(self.first, self.lines) if self.first else None
        order_id = None if self.named is None else usable_id(self.named)
        rows = self.first_row, self.last_row
        return FileOrder(order_id, detail, self.problems, self.line_rows, *rows, self.end, self.wrong_cells)


class _Rows:
    """The rows of a CSV file, each with what is wrong with it. The last one lies from ``begun`` to ``offset``."""

    def __init__(self, stream: Stream, encoding: str, start: Position) -> None:
        self._encoding = encoding
        self._source = _lines(stream, MAX_ROW_BYTES)
        self._reader = csv.reader(self._feed(), strict=True)
        self._lines: list[str] = []
        self._size = 0
        self._ended = False
        self.begun = self.offset = start.offset
        self.number = start.rows

    @property
    def spans_lines(self) -> bool:
        """Whether the row is more than one line of the file."""
        return len(self._lines) > 1

    def header(self) -> tuple[str, ...]:
        """The first row."""
        fields, wrong = next(self, ([], ""))
        if self.offset == 0:
            raise BrokenFile("the file is empty")
        if wrong:
            raise BrokenFile(f"its header has {wrong}")
        return tuple(fields)

    def __iter__(self) -> Iterator[tuple[list[str], str]]:
        return self

    def __next__(self) -> tuple[list[str], str]:
        self._lines.clear()
        self._size = 0
        self.begun = self.offset
        self.number += 1
        try:
            return next(self._reader), ""
        except csv.Error as wrong:
            if self._ended:
                raise BrokenFile(f"row {self.number} has a quote that is not closed") from wrong
            return self._leniently(), str(wrong)

    def _leniently(self) -> list[str]:
        """The fields that can be read of a row that is not as it should be, if any."""
        try:
            return next(csv.reader(line.replace("\r", "") for line in self._lines), [])
        except csv.Error:
            return []

    def _feed(self) -> Iterator[str]:
        for line, length in self._source:
            self._size += length
            if self._size > MAX_ROW_BYTES:
                raise BrokenFile(f"row {self.number} is longer than {MAX_ROW_BYTES} bytes; is a quote not closed?")
            # A mark of the encoding is at the beginning of the file or nowhere.
            encoding = self._encoding if self.offset == 0 else self._encoding.removesuffix("-sig")
            self.offset += length
            text = _decoded(line, encoding, self.number)
            self._lines.append(text)
            yield text
        self._ended = True


def _lines(stream: Stream, limit: int) -> Iterator[tuple[bytes, int]]:
    """The lines of a stream with their ends and lengths. Of a line longer than the limit, not all is given."""
    kept, length = b"", 0
    while chunk := stream.read(_CHUNK):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield kept + part + b"\n", length + len(part) + 1
            kept, length = b"", 0
        if len(kept) < limit:
            kept = (kept + rest)[:limit]
        length += len(rest)
    if length:
        yield kept, length


def _decoded(line: bytes, encoding: str, row: int) -> str:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as wrong:
        raise BrokenFile(f"row {row} is not in {encoding}: {wrong.reason}") from wrong


def _json(text: str, row: int) -> tuple[Any, list[Reason]]:
    try:
        return json.loads(text), []
    except (ValueError, RecursionError) as wrong:
        return None, [Reason(f"not readable as JSON: {wrong}", row)]
