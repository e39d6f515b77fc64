"""The argument of commands about one projection: its name."""

from typing import Annotated

import typer

from handlers.projections.engine.projection import Definition
from handlers.projections.registry import UnknownProjection, named
from infra.cli.command_error import CommandError

ProjectionName = Annotated[str, typer.Argument(metavar="NAME", help="The projection.", show_default=False)]


def projection(name: str) -> Definition:
    """The projection with that name.

    Raises:
        CommandError: there is none.
    """
    try:
        return named(name)
    except UnknownProjection as unknown:
        raise CommandError(str(unknown), status=2) from unknown
