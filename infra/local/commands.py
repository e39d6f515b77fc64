"""The commands of `python -m infra.local`: run orders through the pipeline, start it, end it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from events.publishing.publisher import Unpublished
from handlers.operations.audit.submission import Submission
from infra.local import by_hand, pipeline
from infra.local.deploy import DeploymentError
from infra.local.emulator.process import DEFAULT_PORT, EmulatorError
from infra.local.runner.deliveries import deliveries, needed
from infra.local.runner.display import summary, tell, watching
from infra.local.runner.generator import generate
from infra.local.runner.order_files import InputError, read_orders, read_profile
from infra.local.runner.run import NotStocked, run
from infra.local.signals import cleaning_up_once

WAIT_SCALE = 0.05
"""What the waits between retries take of their time in a run, so that an unreachable service costs seconds."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
_out = Console()
_err = Console(stderr=True)


@app.command("run")
def run_orders(
    orders: Annotated[Path | None, typer.Option(help="CSV file of real orders, a line per order line.")] = None,
    profile: Annotated[str, typer.Option(help="How the file's columns map to orders.")] = "uci",
    count: Annotated[int, typer.Option(min=1, help="How many orders to generate, where there is no file.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed generates the same orders.")] = 1,
) -> None:
    """Deploy, run orders through, check what must hold, and leave nothing behind."""
    try:
        submissions, stock = _from_file(orders, profile) if orders else _generated(count, seed)
    except InputError as unusable:
        _fail(str(unusable), status=2)
    with watching(_out) as watcher:
        watcher.stage("synthesizing, starting the emulator and deploying")
        with pipeline.pipeline() as deployed:
            deployed.emulator.scale_waits(WAIT_SCALE)
            report = run(deployed, submissions, stock, watcher)
    for line in summary(report):
        tell(_out, line)
    for finding in report.findings:
        tell(_err, str(finding))
    if report.findings:
        raise typer.Exit(1)


@app.command()
def up(port: Annotated[int, typer.Option(help="Port of every AWS API.")] = DEFAULT_PORT) -> None:
    """Deploy, and stay up; print what to paste for the AWS CLI."""
    deployed = pipeline.find()
    if deployed is None:
        tell(_err, "synthesizing, starting the emulator and deploying")
        deployed = pipeline.up(port)
        try:
            by_hand.stock(deployed)
        except BaseException:
            pipeline.down()
            raise
    tell(_out, f"# up at {deployed.endpoint}; to end it: make down")
    tell(_out, f"# the HTTP API is at {deployed.api_url}, its document at {deployed.api_url}/docs; see the README")
    for line in by_hand.to_paste(deployed):
        tell(_out, line)


@app.command()
def down() -> None:
    """End what stays up."""
    tell(_out, "ended" if pipeline.down() else "nothing was up")


def _from_file(path: Path, profile: str) -> tuple[list[Submission], list[dict[str, Any]]]:
    submissions = read_orders(path, read_profile(profile))
    return submissions, list(deliveries("stock", needed(submissions), threshold=0))


def _generated(count: int, seed: int) -> tuple[list[Submission], list[dict[str, Any]]]:
    generated = generate(count, seed)
    return list(generated.submissions), list(deliveries("stock", generated.stock))


def _fail(message: str, *, status: int = 1) -> NoReturn:
    tell(_err, message)
    raise typer.Exit(status)


def main() -> None:
    """Run the command line. What goes wrong with the pipeline is printed in a line, without a traceback."""
    try:
        with cleaning_up_once():
            app()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (EmulatorError, DeploymentError, NotStocked, Unpublished) as problem:
        tell(_err, str(problem))
        sys.exit(1)
