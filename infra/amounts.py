"""Money as people read it."""

from decimal import Decimal

from events.currencies import MINOR_UNITS


def amount(minor: int, currency: str) -> str:
    """An amount in the currency's minor unit, as people write it: 123456 pence are ``GBP 1,234.56``."""
    return f"{currency} {Decimal(minor).scaleb(-MINOR_UNITS[currency]):,f}"
