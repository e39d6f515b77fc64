"""Arguments that commands share."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from infra.cli.errors import Failure

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id.", show_default=False)]


def checked(value: str, what: str) -> str:
    """The value, which is an id.

    Raises:
        Failure: it is none.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - see the package

    from events.model import Id  # noqa: PLC0415

    try:
        return TypeAdapter[str](Id).validate_python(value)
    except ValidationError:
        raise Failure(f"{value!r} is no {what}: 1 to 64 of A-Z, a-z, 0-9, _ and -", status=2) from None


def duration(value: str) -> timedelta:
    """A time span as people type it: ``90s``, ``15m``, ``2h``, ``7d``.

    Raises:
        Failure: it is none.
    """
    matched = re.fullmatch(r"(\d{1,6})([smhd])", value)
    if matched is None:
        raise Failure(f"{value!r} is no duration, such as 90s, 15m, 2h or 7d", status=2)
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[matched[2]]
    return timedelta(**{unit: int(matched[1])})
