"""Profiles: how the columns of a CSV file become submissions.

Nothing is filtered and nothing corrected: a credit note keeps its negative quantities, and a quantity that is no number
is kept as its text, which validation rejects. Only ids are rewritten, reversibly, where they hold what an id must not.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events.currencies import MINOR_UNITS
from handlers.files.amounts import NotExact, exact

_PROFILES = Path(__file__).with_name("profiles")
_MAX_DESCRIPTION = 256
_MAX_SHOWN = 40  # characters of a cell
_WHOLE_NUMBER = re.compile(r"\s*([0-9]+)(?:\.0+)?\s*")
_ASCII = bytes(range(128))

Row = Mapping[str, str]
"""The fields of a row that the profile maps, by what they are."""


class UnknownProfile(LookupError):
    """There is no profile of that name; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a file's columns become submissions: column names by field, and what is not in the file.

    Raises:
        ValueError: ``encoding`` is not one in which the bytes of ASCII are ASCII; lines are split before decoding.
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
        """The ``OrderSubmitted`` detail of an order, valid or not. Its first row has what is not in its lines."""
        country = first["country"].strip()
        order: dict[str, Any] = {
            "order_id": usable_id(first["order_id"]),
            "currency": self.currency,
            "lines": lines,
            "shipping_address": {**self.address, "country": self.countries.get(country, country)},
            "payment_token": self.payment_token,
        }
        if first["customer_id"]:
            order["customer"] = {"customer_id": _customer_id(first["customer_id"])}
        return order

    def line(self, row: Row) -> tuple[dict[str, Any], dict[str, str]]:
        """The order line of a row, and what is wrong with its amounts, by field.

        ``unit_price`` is in the currency's minor unit. An amount that cannot be read exactly is kept as its
        text, which validation rejects.
        """
        line: dict[str, Any] = {"sku": usable_id(row["sku"])}
        wrong = {}
        for name, decimals in (("quantity", 0), ("unit_price", MINOR_UNITS[self.currency])):
            try:
                line[name] = exact(row[name], decimals)
            except NotExact as reason:
                line[name] = row[name]
                wrong[name] = f"{self.columns[name]} is {_shown(row[name])}: {reason}"
        description = row["description"].strip()
        if 0 < len(description) <= _MAX_DESCRIPTION:
            line["description"] = description
        return line, wrong


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

    A valid id is not changed, unless it could be mistaken for a rewritten one: no two texts give the same id.
    """
    escaped = re.sub(r"_(?=[0-9A-F]{2})", "_5F", text)
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: "".join(f"_{byte:02X}" for byte in found[0].encode()), escaped)


def _customer_id(text: str) -> str:
    """The id of a customer. Spreadsheets write whole numbers as ``17850.0`` in a column that has gaps."""
    number = _WHOLE_NUMBER.fullmatch(text)
    return number[1] if number else usable_id(text)


def _shown(cell: str) -> str:
    """A cell as a message shows it: its beginning, without characters that cannot be seen."""
    return repr(cell if len(cell) <= _MAX_SHOWN else cell[:_MAX_SHOWN] + "…") if cell.strip() else "empty"
