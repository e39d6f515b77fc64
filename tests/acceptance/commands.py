"""The program: check an environment, print a line per check, write the reports."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Annotated

import botocore
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from infra.cli.command_error import CommandError
from infra.deployment.refusals import Refused
from infra.local.deploy import DeploymentError
from infra.local.emulator.process import EmulatorError
from infra.local.pipeline import pipeline
from infra.local.runner.display import print_line
from infra.settings.environment import InvalidSettings
from infra.signals import leaving_undisturbed
from tests.acceptance import orders
from tests.acceptance.check import Result, Verdict
from tests.acceptance.checks import LANES
from tests.acceptance.environment import Environment
from tests.acceptance.report import Report
from tests.acceptance.running import run
from tests.acceptance.watch import TooLate, Watch

REPORTS = Path("build")
_STOCKED_WITHIN_SECONDS = 300.0
_STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.NOT_HERE: "yellow", Verdict.NOT_SET: "yellow"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def acceptance(
    env: Annotated[str | None, typer.Option(help="An environment on AWS; without it, one is started here.")] = None,
) -> None:
    """Check what an account proves of the pipeline. Exits with 1 if a check failed."""
    with _environment(env) as environment:
        report = accepted(environment, Console(highlight=False))
    write(report, REPORTS)
    print_line(Console(), f"{report.summary}: {REPORTS}/acceptance.json, {REPORTS}/acceptance.md")
    if report.failed:
        raise typer.Exit(1)


@contextmanager
def _environment(name: str | None) -> Iterator[Environment]:
    if name is not None:
        yield Environment.on_aws(name)
        return
    print_line(Console(), "synthesizing, starting the emulator and deploying")
    with leaving_undisturbed(pipeline()) as deployed:
        yield Environment.of(deployed)


def accepted(environment: Environment, console: Console) -> Report:
    """Run every check of an environment, and print a line as each ends."""
    began_at, began = datetime.now(UTC), time.monotonic()
    stocking = Watch(_STOCKED_WITHIN_SECONDS, Event(), poll_seconds=environment.connection.poll_seconds)
    orders.stock(environment, stocking)
    results = run(LANES, environment, lambda result: _print(console, result))
    account = environment.client("sts").get_caller_identity()["Account"]
    seconds = time.monotonic() - began
    return Report(
        environment.name, account, environment.settings.region, began_at, seconds, _versions(environment), results
    )


def write(report: Report, folder: Path) -> None:
    """Write a report as JSON and as Markdown."""
    folder.mkdir(exist_ok=True)
    (folder / "acceptance.json").write_text(report.as_json(), encoding="utf-8")
    (folder / "acceptance.md").write_text(report.as_markdown(), encoding="utf-8")


def _versions(environment: Environment) -> dict[str, str]:
    """Of what was checked, and with what."""
    function = environment.client("lambda").get_function_configuration(
        FunctionName=environment.function_name("api_query")
    )
    # GitHub checks out the commit that it delivers; where there is no repository, there is no commit.
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "order-pipeline": version("order-pipeline"),
        "commit": commit or "unknown",
        "runtime": function["Runtime"],
        "botocore": botocore.__version__,
    }


def _print(console: Console, result: Result) -> None:
    """In one call: checks end at the same time, too."""
    said = f" {result.name} ({result.seconds:.0f} s): {result.said}"
    console.print(Text(result.verdict, _STYLES[result.verdict]).append(said, "default"), soft_wrap=True)


def main() -> None:
    """Run the command line. What keeps it from checking is printed in a line."""
    try:
        app()
    except (
        Refused,
        InvalidSettings,
        CommandError,
        EmulatorError,
        DeploymentError,
        ClientError,
        BotoCoreError,
        TooLate,
    ) as problem:
        sys.exit(f"{problem}")
