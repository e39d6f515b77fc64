"""Amounts as a cell of a CSV file holds them: plain digits, read exactly or not at all."""

import re

MAX_DIGITS = 18
"""How many digits an amount may have in its smallest unit, leading zeros not counted. Every JSON reader takes these."""

_PLAIN = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?")


class NotExact(ValueError):
    """The text is no amount that can be read exactly; the message says what an amount is like."""


def exact(text: str, decimals: int) -> int:
    """The amount in ``text`` in its smallest unit: ``exact("2.550", 2)`` is 255, ``exact("12.0", 0)`` is 12.

    An amount is written in the digits 0 to 9, with at most one sign before them and one point among them. White space
    around it does not count.

    Raises:
        NotExact: the text is written otherwise, or has further decimals than ``decimals`` or more than ``MAX_DIGITS``
            digits.
    """
    plain = _PLAIN.fullmatch(text.strip())
    if plain is None:
        raise NotExact(f"write it in plain digits, as in {_example(decimals)}")
    sign, whole, fraction = plain[1], plain[2], plain[3] or ""
    if fraction[decimals:].strip("0"):
        raise NotExact(f"it can have {_at_most(decimals)}, as in {_example(decimals)}")
    digits = (whole + fraction[:decimals].ljust(decimals, "0")).lstrip("0")
    if len(digits) > MAX_DIGITS:
        raise NotExact(f"it can have at most {MAX_DIGITS} digits, as in {_example(decimals)}")
    return int(sign + (digits or "0"))


def _example(decimals: int) -> str:
    return "12." + "5".ljust(decimals, "0") if decimals else "12"


def _at_most(decimals: int) -> str:
    return {0: "no decimals", 1: "at most 1 decimal"}.get(decimals, f"at most {decimals} decimals")
