"""Arguments that commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer
from pydantic import TypeAdapter, ValidationError

from events.model import CustomerId, Id, OrderId
from events.shops import of_shop
from infra.cli.command_error import CommandError

_ORDER_ID = typer.Argument(
    metavar="ID", help="The order's id, as demo.by-hand-1; where there is one shop, by-hand-1.", show_default=False
)
OrderIdArgument = Annotated[str, _ORDER_ID]
OptionalOrderId = Annotated[str | None, _ORDER_ID]

_ID = TypeAdapter[str](Id)
_OF_SHOP = {"order id": (TypeAdapter[str](OrderId), 47), "customer id": (TypeAdapter[str](CustomerId), 64)}
_SOME_SHOP = "shop"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)


def checked(value: str, what: str) -> str:
    """The value, which is an id.

    Raises:
        CommandError: it is none.
    """
    try:
        return _ID.validate_python(value)
    except ValidationError:
        raise CommandError(f"{value!r} is no {what}: 1 to 64 of A-Z, a-z, 0-9, _ and -", status=2) from None


def checked_of_shop(value: str, what: Literal["order id", "customer id"], shops: Callable[[], Sequence[str]]) -> str:
    """The value, which is the id of an order or a customer, with its shop.

    Args:
        value: what was typed.
        what: what it is.
        shops: gives the shops there are; it is asked where the value names none.

    Raises:
        CommandError: it is none, or names no shop though there are several.
    """
    names_shop = "." in value
    of_any_shop, longest = _OF_SHOP[what]
    try:
        of_any_shop.validate_python(value if names_shop else of_shop(_SOME_SHOP, value))
    except ValidationError:
        raise CommandError(
            f"{value!r} is no {what}: 1 to {longest} of A-Z, a-z, 0-9, _ and -, after its shop and a point",
            status=2,
        ) from None
    if names_shop:
        return value
    shop, *more = shops()
    if more:
        raise CommandError(
            f"of which shop is the {what} {value!r}? Put the shop before it: {of_shop(shop, value)}; "
            f"there is: {', '.join([shop, *more])}",
            status=2,
        )
    return of_shop(shop, value)


def checked_shop(value: str | None, shops: Sequence[str]) -> str:
    """The shop, which may be left out where there is one.

    Raises:
        CommandError: there is no such shop, or several.
    """
    if value is None:
        if len(shops) > 1:
            raise CommandError(f"of which shop? Name it with --shop; there is: {', '.join(shops)}", status=2)
        return shops[0]
    if value not in shops:
        raise CommandError(f"there is no shop {value!r}; there is: {', '.join(shops)}", status=2)
    return value


def moment_of(value: str) -> datetime:
    """The time that a text is: ISO 8601; midnight where it is a date alone, and UTC where it names no zone.

    Raises:
        CommandError: it is none.
    """
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise CommandError(
            f"{value!r} is no time: 2026-11-21, or 2026-11-21T08:30, in UTC, or with a zone", status=2
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def duration(value: str) -> timedelta:
    """The duration that a text is: a number of seconds, minutes, hours or days, such as ``90m``.

    Raises:
        CommandError: it is none, or longer than ten years.
    """
    parts = re.fullmatch(r"(\d{1,9})([smhd])", value, re.ASCII)
    length = timedelta(**{_UNITS[parts[2]]: int(parts[1])}) if parts else None
    if length is None or length > _LONGEST:
        raise CommandError(f"{value!r} is no duration of up to 3650d: 0s, 90m, 24h, 7d", status=2)
    return length
