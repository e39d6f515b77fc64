"""The entry point: options for every command, the commands, and errors told in a line."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from infra.cli.connection import Connection
from infra.cli.counted import customer, sales
from infra.cli.dead_letters import dead_letters, redrive
from infra.cli.doctor import doctor
from infra.cli.errors import explained
from infra.cli.generations import generations, rollback
from infra.cli.orders import history, orders, status
from infra.cli.output import clean
from infra.cli.rebuild import rebuild
from infra.cli.recount import recount
from infra.cli.replay import replay
from infra.cli.republish import republish
from infra.cli.resume import resume
from infra.cli.stock import stock
from infra.cli.submit import submit
from infra.cli.tail import tail


class _Commands(TyperGroup):
    """Tells what goes wrong in one line, wherever it does."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)
        except Exception as problem:
            told = explained(problem)
            if told is None:
                raise
            print(clean(told), file=sys.stderr)
            ctx.exit(getattr(problem, "status", 1))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Hand in orders, see what becomes of them, and mend what is not well.",
)


@app.callback()
def options(
    context: typer.Context,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar="AWS_ENDPOINT_URL", help="The pipeline on one machine: what `make up` prints."
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="The AWS profile to use.")] = None,
    region: Annotated[str | None, typer.Option(help="The AWS region, if not the profile's.")] = None,
) -> None:
    """Say where the pipeline is."""
    context.obj = Connection(endpoint, profile, region)


for command in (
    *(submit, status, history, orders, tail, stock, sales, customer),
    *(replay, rebuild, rollback, generations),
    *(dead_letters, redrive, doctor, republish, resume, recount),
):
    app.command()(command)


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def main() -> None:
    """Run the command line. A signal to end lets a command clean up first."""
    signal.signal(signal.SIGTERM, _terminated)
    app()
