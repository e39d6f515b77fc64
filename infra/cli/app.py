"""The command line as a whole: the options before a command, its commands, and errors in one line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from infra.cli.command_error import CommandError
from infra.cli.commands import COMMANDS
from infra.cli.text import clean
from infra.loading import load

_FUNCTIONS = {command.name: command.function for command in COMMANDS}


class _Commands(TyperGroup):
    """Imports the command that runs, and no other; prints an error that is no bug in one line."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, _loaded(name) if name else placeholder, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except CommandError as error:
            _print_error(str(error))
            ctx.exit(error.status)
        except Exception as problem:
            explained: CommandError | None = load("infra.cli.explaining:explained")(problem)
            if explained is None:
                raise
            _print_error(str(explained))
            ctx.exit(explained.status)


def _new_app(**settings: Any) -> typer.Typer:
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **settings)


def _loaded(name: str) -> Any:
    """The command with that name, as Typer makes it of its function."""
    alone = _new_app()
    alone.command(name)(load(_FUNCTIONS[name]))
    return typer.main.get_command(alone)


def _print_error(message: str) -> None:
    print(clean(" ".join(message.split())), file=sys.stderr)


app = _new_app(
    cls=_Commands,
    no_args_is_help=True,
    help="Submit orders, see what becomes of them, and repair what went wrong.",
)


@app.callback()
def options(
    env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment.", show_default="the only one there is"),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar="AWS_ENDPOINT_URL", help="The pipeline on one machine: what `make up` prints."
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="The AWS profile to use.")] = None,
    region: Annotated[str | None, typer.Option(help="The AWS region, if not the profile's.")] = None,
) -> None:
    """Say where the pipeline is. `connection.of` reads it from the context."""


def _placeholder() -> None:
    """Stands for a command until it runs."""


for command in COMMANDS:
    app.command(command.name, help=command.summary)(_placeholder)
