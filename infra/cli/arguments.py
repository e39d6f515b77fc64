"""Arguments that commands share."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from events.model import Id
from infra.cli.command_error import CommandError

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id.", show_default=False)]

_ID = TypeAdapter[str](Id)
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
