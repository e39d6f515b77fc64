"""Prices and quantities in files: exact, or rejected with row, column, value and what to write instead."""

import io
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.currencies import MINOR_UNITS
from handlers.files.amounts import MAX_DIGITS, NotExact, exact
from handlers.files.check import rejected
from handlers.files.csv_profile import read_profile
from handlers.files.reader import BrokenFile, FileOrder, read_csv
from tests.builders.csv_rows import HEADER, row

UCI = read_profile("uci")
MANY_NINES = "0.01" + "9" * 33

currencies = st.sampled_from(["JPY", "GBP", "KWD", "CLF"])
"""One with 0, 2, 3 and 4 decimals each."""
padding = st.text(" \t\n\u00a0", max_size=3)


def orders(text: str) -> list[FileOrder]:
    return list(read_csv(io.BytesIO((HEADER + text).encode()), UCI))


def test_the_currencies_of_the_laws_have_0_2_3_and_4_decimals() -> None:
    assert [MINOR_UNITS[code] for code in ("JPY", "GBP", "KWD", "CLF")] == [0, 2, 3, 4]


@given(st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1), currencies, st.integers(0, 9), padding)
def test_an_exact_amount_comes_back_however_many_zeros_follow_it(
    minor: int, currency: str, zeros: int, around: str
) -> None:
    decimals = MINOR_UNITS[currency]
    whole, fraction = divmod(abs(minor), 10**decimals)
    written = f"{'-' if minor < 0 else ''}{whole}"
    if decimals or zeros:
        written += "." + (f"{fraction:0{decimals}}" if decimals else "") + "0" * zeros
    assert exact(around + written + around, decimals) == minor


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), currencies)
def test_an_amount_is_read_exactly_or_not_at_all(amount: Decimal, currency: str) -> None:
    decimals = MINOR_UNITS[currency]
    in_minor_units = amount * 10**decimals
    if in_minor_units == in_minor_units.to_integral_value() and abs(in_minor_units) < 10**MAX_DIGITS:
        assert exact(f"{amount:f}", decimals) == in_minor_units
    else:
        with pytest.raises(NotExact):
            exact(f"{amount:f}", decimals)


@given(st.one_of(st.text(), st.text("0123456789.-+eE_ ,\u0661\uff11\u00b2", max_size=8)), currencies)
def test_what_is_not_written_in_plain_digits_never_becomes_a_number(text: str, currency: str) -> None:
    try:
        exact(text, MINOR_UNITS[currency])
    except NotExact:
        return
    assert re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text.strip())


@pytest.mark.parametrize(
    ("price", "pence"),
    [("2.55", 255), ("2.550", 255), (" 2.55\t", 255), ("+2.5", 250), ("3.", 300), (".5", 50), ("007", 700)],
)
def test_a_price(price: str, pence: int) -> None:
    [order] = orders(row("1", price=price))
    assert (order.detail["lines"][0]["unit_price"], rejected(order)) == (pence, [])


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("2.555", "'2.555': it can have at most 2 decimals, as in 12.50"),
        (MANY_NINES, f"'{MANY_NINES}': it can have at most 2 decimals, as in 12.50"),
        ("1e999999", "'1e999999': write it in plain digits, as in 12.50"),
        ("1e-99999999", "'1e-99999999': write it in plain digits, as in 12.50"),
        ("1e2", "'1e2': write it in plain digits, as in 12.50"),
        ("1_000", "'1_000': write it in plain digits, as in 12.50"),
        ("1 000", "'1 000': write it in plain digits, as in 12.50"),
        ('"1,000.00"', "'1,000.00': write it in plain digits, as in 12.50"),
        ("\u0662.55", "'\u0662.55': write it in plain digits, as in 12.50"),
        ("\uff12.55", "'\uff12.55': write it in plain digits, as in 12.50"),
        ("\u22122.55", "'\u22122.55': write it in plain digits, as in 12.50"),
        ("NaN", "'NaN': write it in plain digits, as in 12.50"),
        ("-Infinity", "'-Infinity': write it in plain digits, as in 12.50"),
        ("£2.55", "'£2.55': write it in plain digits, as in 12.50"),
        ("", "empty: write it in plain digits, as in 12.50"),
        ("  ", "empty: write it in plain digits, as in 12.50"),
        (".", "'.': write it in plain digits, as in 12.50"),
        ("9" * 17, "'99999999999999999': it can have at most 18 digits, as in 12.50"),
        ("9" * 100_000, f"'{'9' * 40}…': it can have at most 18 digits, as in 12.50"),
    ],
)
def test_what_is_no_price_rejects_its_order_alone(price: str, reason: str) -> None:
    before, wrong, after = orders(row("1") + row("2") + row("2", price=price) + row("3"))
    [found] = rejected(wrong)
    assert (found.row, found.field, found.message) == (4, "unit_price", f"UnitPrice is {reason}")
    assert rejected(before) == rejected(after) == []


@pytest.mark.parametrize(
    ("quantity", "reason"),
    [
        ("two", "'two': write it in plain digits, as in 12"),
        ("1.5", "'1.5': it can have no decimals, as in 12"),
        ("1e3", "'1e3': write it in plain digits, as in 12"),
        ("", "empty: write it in plain digits, as in 12"),
    ],
)
def test_what_is_no_quantity_rejects_its_order(quantity: str, reason: str) -> None:
    [order] = orders(row("1", quantity=quantity))
    assert [each.message for each in rejected(order)] == [f"Quantity is {reason}"]


def test_a_quantity_may_have_decimals_that_are_zero() -> None:
    [order] = orders(row("1", quantity="12.0"))
    assert (order.detail["lines"][0]["quantity"], rejected(order)) == (12, [])


def test_negative_amounts_are_amounts_and_validation_rejects_them() -> None:
    [order] = orders(row("1", quantity="-1", price="-2.50"))
    assert [(each.row, each.field, each.message) for each in rejected(order)] == [
        (2, "quantity", "Input should be greater than 0"),
        (2, "unit_price", "Input should be greater than or equal to 0"),
    ]


@pytest.mark.parametrize(
    ("written", "customer_id"),
    [("17850.0", "17850"), ("17850", "17850"), (" 17850.0 ", "17850"), ("C-1", "C-1"), ("1e3", "1e3"), ("1_0", "1_0")],
)
def test_a_customers_number_is_an_id_that_spreadsheets_write_with_a_decimal(written: str, customer_id: str) -> None:
    [order] = orders(row("1", customer=written))
    assert order.detail["customer"] == {"customer_id": customer_id}


def test_a_file_with_two_columns_of_a_name_that_is_mapped_is_refused() -> None:
    header = HEADER.replace("InvoiceDate", "Quantity")
    with pytest.raises(BrokenFile, match=r"^more than one column is named Quantity; remove or rename the others$"):
        list(read_csv(io.BytesIO((header + row("1")).encode()), UCI))


def test_columns_that_are_not_mapped_may_have_one_name() -> None:
    content = HEADER.replace("\n", ",InvoiceDate\n") + row("1").replace("\n", ",\n")
    [order] = read_csv(io.BytesIO(content.encode()), UCI)
    assert rejected(order) == []
