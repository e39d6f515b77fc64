"""Files as streams: the same orders however the bytes come and wherever reading goes on, and what is wrong by row."""

import csv
import io
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.integration import MAX_CANONICAL_BYTES
from handlers.files.check import rejected
from handlers.files.csv_profile import read_profile
from handlers.files.reader import (
    MAX_NDJSON_BYTES,
    MAX_ROW_BYTES,
    BrokenFile,
    FileOrder,
    Position,
    Reason,
    read_csv,
    read_ndjson,
)
from tests.builders.csv_rows import COLUMNS, HEADER, row

UCI = read_profile("uci")
DETAIL = {
    "order_id": "1",
    "currency": "GBP",
    "lines": [{"sku": "A", "quantity": 1, "unit_price": 100}],
    "shipping_address": {"name": "A", "street": "B", "city": "C", "postal_code": "D", "country": "GB"},
    "payment_token": "tok_approve",
}


class Trickle:
    """A stream that gives its bytes in pieces of the sizes given, again and again, whatever is asked for."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._content = io.BytesIO(content)
        self._sizes = sizes
        self._reads = 0

    def read(self, size: int, /) -> bytes:
        self._reads += 1
        return self._content.read(min(size, self._sizes[self._reads % len(self._sizes)]))


def orders(text: str) -> list[FileOrder]:
    return list(read_csv(io.BytesIO((HEADER + text).encode()), UCI))


def why(text: str) -> dict[str | None, list[Reason]]:
    return {order.order_id: rejected(order) for order in orders(text)}


def lines(content: list[Any]) -> Iterator[FileOrder]:
    text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in content)
    return read_ndjson(io.BytesIO(text.encode()))


def as_written(rows: list[tuple[str, str, str]], dialect: type[csv.Dialect]) -> bytes:
    file = io.StringIO(newline="")
    filled = [[order_id, sku, text, "1", "", "1", "", "France"] for order_id, sku, text in rows]
    csv.writer(file, dialect).writerows([COLUMNS, *filled])
    return file.getvalue().encode()


class AllQuoted(csv.excel):
    """As some programs write: line feeds alone, and everything in quotes."""

    lineterminator = "\n"
    quoting = csv.QUOTE_ALL


FIELD = st.text(alphabet='a"\r\n, \U0001f6d2', max_size=4)
ROWS = st.lists(st.tuples(st.sampled_from("123"), FIELD, FIELD), min_size=1, max_size=8)
FILES = st.builds(as_written, ROWS, st.sampled_from([csv.excel, AllQuoted]))
few = settings(max_examples=50)


@few
@given(FILES, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_same_orders_come_however_the_bytes_do(content: bytes, sizes: list[int]) -> None:
    assert list(read_csv(Trickle(content, sizes), UCI)) == list(read_csv(io.BytesIO(content), UCI))


@few
@given(FILES)
def test_reading_goes_on_after_any_order(content: bytes) -> None:
    whole = list(read_csv(io.BytesIO(content), UCI))
    for number, order in enumerate(whole, start=1):
        rest = io.BytesIO(content[order.end.offset :])
        assert list(read_csv(rest, UCI, order.end)) == whole[number:]
    assert whole[-1].end.offset == len(content)


@few
@given(FILES)
def test_every_row_is_in_one_order_and_their_numbers_follow(content: bytes) -> None:
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
    read = list(read_csv(io.BytesIO(content), UCI))
    assert [number for order in read for number in order.line_rows] == list(range(2, len(rows) + 2))
    for order in read:
        assert [order.first_row, order.last_row] == [order.line_rows[0], order.line_rows[-1]]
        assert {rows[number - 2][0] for number in order.line_rows} == {order.order_id}
    assert all(one.order_id != other.order_id for one, other in itertools.pairwise(read))


@few
@given(st.lists(st.sampled_from([json.dumps(DETAIL), "", "{", "[]", '"é"', " "]), max_size=8), st.integers(1, 50))
def test_lines_of_ndjson_come_the_same_and_reading_goes_on_after_any(content: list[str], size: int) -> None:
    data = ("\n".join([json.dumps(DETAIL), *content])).encode()
    whole = list(read_ndjson(io.BytesIO(data)))
    assert list(read_ndjson(Trickle(data, [size]))) == whole
    assert [order.first_row for order in whole] == [1, *(n for n, line in enumerate(content, 2) if line.strip())]
    for number, order in enumerate(whole, start=1):
        rest = io.BytesIO(data[order.end.offset :])
        assert list(read_ndjson(rest, order.end)) == whole[number:]


def test_a_broken_row_rejects_its_order_with_its_number_and_the_rest_goes_on() -> None:
    text = (
        row("1")
        + row("2")
        + "2,too,short\n"
        + row("2")
        + row("3", '"A"B')
        + row("3", "A\rB")
        + row("4", quantity="-1")
        + row("5")
    )
    reasons = why(text)
    quote, carriage_return = reasons.pop("3")
    assert reasons == {
        "1": [],
        "2": [Reason("3 fields, not 8", 4)],
        "4": [Reason("Input should be greater than 0", 8, "quantity")],
        "5": [],
    }
    assert quote == Reason("',' expected after '\"'", 6)
    assert (carriage_return.row, carriage_return.message[:14]) == (7, "new-line chara")


def test_every_wrong_line_of_an_order_is_told_by_its_row() -> None:
    text = row("1") + "\n" + row("1", quantity="two", price="-1") + row("1") + row("1", sku="")
    assert why(text) == {
        "1": [
            Reason("Quantity is 'two': write it in plain digits, as in 12", 4, "quantity"),
            Reason("Input should be greater than or equal to 0", 4, "unit_price"),
            Reason("String should match pattern '^[A-Za-z0-9_-]{1,64}$'", 6, "sku"),
        ]
    }


def test_a_row_that_names_no_order_is_a_problem_of_the_order_before_it() -> None:
    reordered = "StockCode,InvoiceNo,Description,Quantity,UnitPrice,CustomerID,Country\n"
    text = f"{reordered}A,1,,1,1,,France\nA\nA,1,,1,1,,France\nA,2,,1,1,,France\n"
    read = list(read_csv(io.BytesIO(text.encode()), UCI))
    assert [(order.order_id, order.first_row, order.last_row) for order in read] == [("1", 2, 4), ("2", 5, 5)]
    assert [rejected(order) for order in read] == [[Reason("1 fields, not 7", 3)], []]
    [first, _] = read_csv(io.BytesIO(f"{reordered}A\nA,1,,1,1,,France\n".encode()), UCI)
    assert (first.order_id, first.first_row, rejected(first)) == (None, 2, [Reason("1 fields, not 7", 2)])


def test_an_order_without_a_usable_id_is_rejected() -> None:
    wrong = "String should match pattern '^[A-Za-z0-9_-]{1,47}$'"
    for order in orders(row("") + row("x" * 48)):
        assert rejected(order) == [Reason(wrong, order.first_row, "order_id")]
    [longest, of_a_shop] = lines([DETAIL | {"order_id": "x" * 47}, DETAIL | {"order_id": "demo.1"}])
    assert rejected(longest) == []
    assert rejected(of_a_shop) == [Reason(wrong, 2, "order_id")], "a shop names its orders by its own ids"


def test_line_ends_of_all_kinds_and_a_mark_of_the_encoding() -> None:
    text = (HEADER + row("1") + row("1", description='"two\nlines"')).replace("\n", "\r\n").removesuffix("\r\n")
    [order] = read_csv(io.BytesIO(text.encode("utf-8-sig")), UCI)
    assert [line.get("description") for line in order.detail["lines"]] == [None, "two\r\nlines"]
    assert order.end.offset == len(text.encode("utf-8-sig"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n" + HEADER.encode(), "no column InvoiceNo, .*; it has none"),
        (HEADER.encode(), "there is no line in it"),
        (HEADER.replace("Quantity", "Qty").encode() + row("1").encode(), "no column Quantity; it has InvoiceNo, "),
        (f'a,"b"c\n{row("1")}'.encode(), "its header has ',' expected"),
        ((HEADER + row("1", description="café")).encode("latin-1"), "row 2 is not in utf-8: invalid"),
        (HEADER.encode("utf-16"), "row 1 is not in utf-8-sig"),
        ((HEADER + row("1", description='"open')).encode(), "row 2 has a quote that is not closed"),
        ((HEADER + row("1", description='"open') * 2).encode(), "row 2 goes over several lines, .* is a quote not clo"),
        ((HEADER + row("1", description='"a",')).encode() + b'2,"\n",3\n', "row 3 goes over several lines, and has 3"),
        ((HEADER + row("1", description='"open') + row("1") * 9999).encode(), "row 2 is longer than 131072 bytes"),
        (HEADER.encode() + b"x" * 2 * MAX_ROW_BYTES, "row 2 is longer than 131072 bytes"),
        ((HEADER + row("1", sku="x" * 90_000) * 99).encode(), "order that begins in row 2 takes more than 8388608 by"),
        (HEADER.replace("\n", "\r").encode() * 2, "its header has new-line character"),
    ],
)
def test_a_broken_file_ends_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(BrokenFile, match=message) as broken:
        list(read_csv(io.BytesIO(content), UCI))
    assert "\n" not in str(broken.value)


def test_what_was_read_before_a_file_breaks_is_given() -> None:
    reading = read_csv(io.BytesIO((HEADER + row("1") + row("2")).encode() + b"\xff\n"), UCI)
    assert next(reading).order_id == "1"
    with pytest.raises(BrokenFile, match="row 4"):
        next(reading)


def test_no_orders_in_ndjson_and_lines_that_are_none() -> None:
    with pytest.raises(BrokenFile, match="there is no order in it"):
        list(read_ndjson(io.BytesIO(b"\n \n")))
    with pytest.raises(BrokenFile, match="row 1 is not in utf-8"):
        list(read_ndjson(io.BytesIO(b"\xff\n")))
    [good, broken, number, deep, negative] = lines(
        [DETAIL, "{", 5, "[" * 100_000, DETAIL | {"lines": [{"sku": "A", "quantity": -1, "unit_price": 1}]}]
    )
    assert rejected(good) == []
    assert "not readable as JSON" in rejected(broken)[0].message
    assert (number.order_id, len(rejected(number))) == (None, 1)
    assert deep.problems[0].row == 4
    assert rejected(negative) == [Reason("Input should be greater than 0", 5, "lines.0.quantity")]


def test_a_line_of_ndjson_that_is_too_long_is_skipped() -> None:
    long, after = lines([DETAIL | {"payment_token": "x" * MAX_NDJSON_BYTES}, DETAIL])
    assert rejected(long) == [Reason(f"longer than {MAX_NDJSON_BYTES} bytes", 1)]
    assert (after.order_id, rejected(after)) == ("1", [])


def test_an_order_larger_than_what_an_order_may_be_is_rejected() -> None:
    many = row("1", description="x" * 250) * 2000
    [large, after] = orders(many + row("2"))
    assert rejected(large) == [Reason(f"larger than {MAX_CANONICAL_BYTES} bytes")]
    assert (large.last_row, rejected(after)) == (2001, [])
    [long] = orders(row("1") * 1001)
    assert [reason.message for reason in rejected(long)] == [
        "Tuple should have at most 1000 items after validation, not 1001"
    ]


class Generated:
    """A stream of so many pieces that are never in memory together."""

    def __init__(self, first: bytes, pieces: int, piece: Callable[[int], bytes]) -> None:
        self._pieces = itertools.chain([first], map(piece, range(pieces)))

    def read(self, size: int, /) -> bytes:
        return next(self._pieces, b"")


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(reading: Iterator[FileOrder]) -> int:
        tracemalloc.start()
        try:
            for _ in reading:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def orders(number: int) -> bytes:
        return "".join(row(f"{number}-{each}") for each in range(100)).encode()

    def one_order(_: int) -> bytes:
        return row("1").encode() * 1000

    def one_line(_: int) -> bytes:
        return b" " * MAX_NDJSON_BYTES

    csv_head = HEADER.encode()
    assert peak(read_csv(Generated(csv_head, 60, orders), UCI)) < 1.2 * peak(
        read_csv(Generated(csv_head, 10, orders), UCI)
    )
    assert peak(read_csv(Generated(csv_head, 12, one_order), UCI)) < 1.2 * peak(
        read_csv(Generated(csv_head, 7, one_order), UCI)
    )
    assert peak(read_ndjson(Generated(b"{", 30, one_line))) < 1.2 * peak(read_ndjson(Generated(b"{", 3, one_line)))


def test_a_position_says_where_an_order_ends() -> None:
    text = row("1") + row("2")
    [first, second] = orders(text)
    assert first.end == Position(len(HEADER + row("1")), 2, tuple(COLUMNS))
    assert second.end == replace(first.end, offset=len(HEADER + text), rows=3)


def test_an_encoding_that_is_no_superset_of_ascii_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-16 is not a superset of ASCII"):
        replace(UCI, encoding="utf-16")
