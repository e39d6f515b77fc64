"""Arguments that commands share."""

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
