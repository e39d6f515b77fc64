"""Profiles: how the columns of a CSV file become submissions.

Nothing is filtered and nothing corrected: a credit note keeps its negative quantities, a quantity that is no number is
the text it is. What becomes of it is for validation to say. Only ids are rewritten, reversibly, where they hold what an
id must not.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from events.currencies import MINOR_UNITS

_PROFILES = Path(__file__).with_name("profiles")
_MAX_DESCRIPTION = 256
_LARGEST_INTEGER = 18  # digits: what JSON readers everywhere take as an integer
_ASCII = bytes(range(128))

Row = Mapping[str, str]
"""The fields of a row that the profile maps, by what they are."""


class UnknownProfile(LookupError):
    """There is no profile of that name; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a file's columns become submissions: column names by field, and what the file does not tell.

    Raises:
        ValueError: ``encoding`` is not one in which the bytes of ASCII are ASCII; lines are told apart before decoding.
    """

    columns: Mapping[str, str]
    currency: str
    payment_token: str
    address: Mapping[str, str]
    countries: Mapping[str, str]
    encoding: str

    def __post_init__(self) -> None:
        if _ASCII.decode(self.encoding, errors="replace") != _ASCII.decode("ascii"):
            raise ValueError(f"{self.encoding} is not a superset of ASCII")

    def order(self, first: Row, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The ``OrderSubmitted`` detail of an order, valid or not: its first row tells what is not in its lines."""
        country = first["country"].strip()
        order: dict[str, Any] = {
            "order_id": usable_id(first["order_id"]),
            "currency": self.currency,
            "lines": lines,
            "shipping_address": {**self.address, "country": self.countries.get(country, country)},
            "payment_token": self.payment_token,
        }
        if first["customer_id"]:
            # Spreadsheets write whole numbers as 17850.0 in a column that has gaps.
            order["customer"] = {"customer_id": usable_id(str(_whole_number(first["customer_id"])))}
        return order

    def line(self, row: Row) -> dict[str, Any]:
        """The order line of a row."""
        line: dict[str, Any] = {
            "sku": usable_id(row["sku"]),
            "quantity": _whole_number(row["quantity"]),
            "unit_price": minor_units(row["unit_price"], self.currency),
        }
        description = row["description"].strip()
        if 0 < len(description) <= _MAX_DESCRIPTION:
            line["description"] = description
        return line


def profile_names() -> list[str]:
    """The profiles there are."""
    return sorted(path.stem for path in _PROFILES.glob("*.toml"))


def read_profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        UnknownProfile: there is none.
    """
    if name not in profile_names():
        raise UnknownProfile(f"there is no profile {name!r}; there is: {', '.join(profile_names())}")
    return Profile(**tomllib.loads((_PROFILES / f"{name}.toml").read_text(encoding="utf-8")))


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


def _whole_number(text: str) -> int | str:
    try:
        return _integer(Decimal(text), text)
    except InvalidOperation:
        return text


def _integer(number: Decimal, text: str) -> int | str:
    whole = number.is_finite() and number == number.to_integral_value() and number.adjusted() < _LARGEST_INTEGER
    return int(number) if whole else text
