"""Orders from a file: one line per order line, its columns mapped by a profile.

Nothing is filtered and nothing corrected: a credit note is submitted with its negative quantities, a quantity that is
no number as the text it is. What becomes of it is for the intake to say. Only ids are rewritten, reversibly, where
they hold what an id must not.
"""

import csv
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from events.currencies import MINOR_UNITS
from events.entries import MAX_BYTES, size_of
from events.publish import Entry
from infra.local.submissions import ORDER_SUBMITTED, SOURCE, Submission

PROFILES = Path(__file__).with_name("profiles")
_MAX_DESCRIPTION = 256
_LARGEST_INTEGER = 18  # digits: what JSON readers everywhere take as an integer

Row = Mapping[str, str]


class InputError(Exception):
    """The file or the profile cannot be used; the message is one line that says which, and why."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a file's columns become submissions: column names by field, and what the file does not tell."""

    columns: Mapping[str, str]
    currency: str
    payment_token: str
    address: Mapping[str, str]
    countries: Mapping[str, str]
    encoding: str


def profile_names() -> list[str]:
    """The profiles there are."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def read_profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InputError: there is none.
    """
    if name not in profile_names():
        raise InputError(f"there is no profile {name!r}; there is: {', '.join(profile_names())}")
    return Profile(**tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8")))


def read_orders(path: Path, profile: Profile) -> list[Submission]:
    """The orders of a file, each with all of its lines, in the order of their first lines.

    Raises:
        InputError: the file cannot be read, lacks a column, holds no line, or an order too large for the bus.
    """
    orders: dict[str, list[Row]] = {}
    for row in _rows(path, profile):
        orders.setdefault(row[profile.columns["order_id"]], []).append(row)
    if not orders:
        raise InputError(f"{path}: there is no line in it")
    submissions = [Submission(_order(rows, profile)) for rows in orders.values()]
    for submission in submissions:
        size = size_of(Entry.untyped(ORDER_SUBMITTED, submission.detail).put("", SOURCE))
        if size > MAX_BYTES:
            raise InputError(
                f"{path}: order {submission.detail['order_id']} is {size} bytes; PutEvents takes {MAX_BYTES}"
            )
    return submissions


def usable_id(text: str) -> str:
    """An id in the characters an id may have: any other is written as ``_`` and two hexadecimal digits per byte.

    A valid id stays as it is, unless it could be mistaken for a rewritten one: no two texts give the same id.
    """
    escaped = re.sub(r"_(?=[0-9A-F]{2})", "_5F", text)
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: "".join(f"_{byte:02X}" for byte in found[0].encode()), escaped)


def minor_units(text: str, currency: str) -> int | str:
    """A decimal amount in the currency's minor unit, exactly; or the text as it is, where it is no such amount."""
    try:
        amount = Decimal(text).scaleb(MINOR_UNITS[currency])
    except InvalidOperation:
        return text
    return _integer(amount, text)


def _rows(path: Path, profile: Profile) -> Iterator[Row]:
    try:
        with path.open(newline="", encoding=profile.encoding) as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [column for column in profile.columns.values() if column not in header]
            if missing:
                raise InputError(f"{path}: no column {', '.join(missing)}; it has {', '.join(header) or 'none'}")
            for fields in reader:
                if len(fields) != len(header):
                    raise InputError(f"{path}: line {reader.line_num} has {len(fields)} fields, not {len(header)}")
                yield dict(zip(header, fields, strict=True))
    except OSError as unreadable:
        raise InputError(f"{path}: {unreadable.strerror}") from unreadable
    except (UnicodeDecodeError, csv.Error) as unreadable:
        raise InputError(f"{path}: not readable as CSV in {profile.encoding}: {unreadable}") from unreadable


def _order(rows: list[Row], profile: Profile) -> dict[str, Any]:
    first, columns = rows[0], profile.columns
    country = first[columns["country"]].strip()
    order: dict[str, Any] = {
        "order_id": usable_id(first[columns["order_id"]]),
        "currency": profile.currency,
        "lines": [_line(row, profile) for row in rows],
        "shipping_address": {**profile.address, "country": profile.countries.get(country, country)},
        "payment_token": profile.payment_token,
    }
    customer_id = first[columns["customer_id"]]
    if customer_id:
        # Spreadsheets write whole numbers as 17850.0 in a column that has gaps.
        order["customer"] = {"customer_id": usable_id(str(_whole_number(customer_id)))}
    return order


def _line(row: Row, profile: Profile) -> dict[str, Any]:
    columns = profile.columns
    line: dict[str, Any] = {
        "sku": usable_id(row[columns["sku"]]),
        "quantity": _whole_number(row[columns["quantity"]]),
        "unit_price": minor_units(row[columns["unit_price"]], profile.currency),
    }
    description = row[columns["description"]].strip()
    if 0 < len(description) <= _MAX_DESCRIPTION:
        line["description"] = description
    return line


def _whole_number(text: str) -> int | str:
    try:
        return _integer(Decimal(text), text)
    except InvalidOperation:
        return text


def _integer(number: Decimal, text: str) -> int | str:
    whole = number.is_finite() and number == number.to_integral_value() and number.adjusted() < _LARGEST_INTEGER
    return int(number) if whole else text
