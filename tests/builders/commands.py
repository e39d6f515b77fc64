"""The command line, run inside this process; and what a process of its own begins with."""

from functools import cache
from unittest.mock import patch

from botocore.loaders import Loader, create_loader
from typer.testing import CliRunner, Result

from infra.cli.app import app

HEED_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""What an interactive shell does for a process; these tests may run in the background, where SIGINT is ignored."""


@cache
def loader(search_path: str | None) -> Loader:
    """One for all commands: each process reads the models of AWS's services once, and here many commands are one."""
    return create_loader(search_path)


def run_command(*arguments: str, stdin: str | None = None) -> Result:
    with patch("botocore.session.create_loader", loader):
        return CliRunner().invoke(app, arguments, input=stdin)
