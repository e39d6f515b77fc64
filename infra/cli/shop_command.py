"""The command that adds a shop to the settings of an environment."""

from __future__ import annotations

import shlex
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from handlers.intake.callers import READ, WRITE
from infra.cli import connection
from infra.cli.command_error import CommandError
from infra.cli.connection import Connection
from infra.cli.output import err, out, print_line
from infra.names import LOCAL_ENVIRONMENT
from infra.settings.adding import with_shop
from infra.settings.environment import InvalidSettings, file_of


class Action(Enum):
    """What can be done with a shop."""

    ADD = "add"


def shop(
    context: typer.Context,
    action: Annotated[Action, typer.Argument(metavar="add", help="Add a shop.", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 16 of a-z and 0-9.", show_default=False)],
    *,
    source: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="An EventBridge source of its events; may be repeated.")
    ] = None,
    folder: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The folder of its files.", show_default="its name")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The settings.",
            show_default="the environment's, or dev's",
        ),
    ] = None,
) -> None:
    """Add a shop to the settings of an environment.

    Where the pipeline is deployed, the shop gets a client of the user pool. The next deployment lets the shop in, and
    gives it an API key of its own on the usage plan.
    """
    del action  # there is one
    pipeline = connection.of(context)
    try:
        file = settings or file_of(pipeline.env or LOCAL_ENVIRONMENT)
    except InvalidSettings as invalid:
        raise CommandError(str(invalid), status=2) from invalid
    try:
        text = file.read_text(encoding="utf-8")
        with_shop(text, name, sources=source or (), clients=(), folder=folder)
        client = _client(pipeline, name)
        changed = with_shop(text, name, sources=source or (), clients=[client] if client else (), folder=folder)
        file.write_text(changed, encoding="utf-8")
    except OSError as refused:
        raise CommandError(f"{file}: {refused.strerror}", status=2) from refused
    except InvalidSettings as invalid:
        raise CommandError(f"{file}: {invalid}", status=2) from invalid
    print_line(out(), f"{name} is in {file}; the next deployment lets it in")
    if client:
        ask = ("aws", "cognito-idp", "describe-user-pool-client", "--user-pool-id", pipeline.outputs["UserPoolId"])
        print_line(err(), f"its secret: {shlex.join([*ask, '--client-id', client])}")


def _client(pipeline: Connection, name: str) -> str | None:
    """The id of a new client of the user pool for the shop; None where there is no pipeline to make it in."""
    try:
        pool = pipeline.outputs["UserPoolId"]
        made = pipeline.client("cognito-idp").create_user_pool_client(
            UserPoolId=pool,
            ClientName=name,
            GenerateSecret=True,
            AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=[READ, WRITE],
            PreventUserExistenceErrors="ENABLED",
        )
    except (BotoCoreError, ClientError, CommandError) as problem:
        print_line(err(), f"no client of the user pool was made ({problem}); name one under `clients` in the settings")
        return None
    client: str = made["UserPoolClient"]["ClientId"]
    return client
