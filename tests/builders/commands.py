"""The command line, run inside this process."""

from functools import cache
from unittest.mock import patch

from botocore.loaders import Loader, create_loader
from typer.testing import CliRunner, Result

from infra.cli.app import app


@cache
def loader(search_path: str | None) -> Loader:
    """One for all commands: each process reads the models of AWS's services once, and here many commands are one."""
    return create_loader(search_path)


def run_command(*arguments: str, stdin: str | None = None) -> Result:
    with patch("botocore.session.create_loader", loader):
        return CliRunner().invoke(app, arguments, input=stdin)
