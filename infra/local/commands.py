"""The commands of `python -m infra.local`: run orders through the pipeline, start it, end it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from events.publishing.publisher import Unpublished
from handlers.operations.audit.published_submission import Submission
from infra.local import aws_cli_examples, pipeline
from infra.local.deploy import DeploymentError
from infra.local.emulator.process import DEFAULT_PORT, EmulatorError
from infra.local.runner.display import print_line, progress_display, summary
from infra.local.runner.generator import generate
from infra.local.runner.order_files import InputError, read_orders, read_profile
from infra.local.runner.order_run import NotStocked, run
from infra.local.runner.stock_deliveries import needed, stock_deliveries
from infra.signals import leaving_undisturbed

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
    """Deploy, run orders through, check the invariants, and leave nothing behind."""
    try:
        submissions, stock = _from_file(orders, profile) if orders else _generated(count, seed)
    except InputError as unusable:
        _fail(str(unusable), status=2)
    with progress_display(_out) as listener:
        listener.stage_started("synthesizing, starting the emulator and deploying")
        with leaving_undisturbed(pipeline.pipeline()) as deployed:
            deployed.emulator.scale_waits(WAIT_SCALE)
            report = run(deployed, submissions, stock, listener)
    for line in summary(report):
        print_line(_out, line)
    for finding in report.findings:
        print_line(_err, str(finding))
    if report.findings:
        raise typer.Exit(1)


@app.command()
def up(port: Annotated[int, typer.Option(help="Port of every AWS API.")] = DEFAULT_PORT) -> None:
    """Deploy, and leave the pipeline up; print lines to paste for the AWS CLI."""
    deployed = pipeline.find()
    if deployed is None:
        print_line(_err, "synthesizing, starting the emulator and deploying")
        deployed = pipeline.up(port)
        try:
            aws_cli_examples.stock_warehouse(deployed)
        except BaseException:
            pipeline.down()
            raise
    print_line(_out, f"# up at {deployed.endpoint}; to end it: make down")
    print_line(
        _out, f"# the HTTP API is at {deployed.api_url}, its document at {deployed.api_url}/docs; see the README"
    )
    for line in aws_cli_examples.lines_to_paste(deployed):
        print_line(_out, line)


@app.command()
def down() -> None:
    """End the pipeline that is up."""
    print_line(_out, "ended" if pipeline.down() else "nothing was up")


def _from_file(path: Path, profile: str) -> tuple[list[Submission], list[dict[str, Any]]]:
    submissions = read_orders(path, read_profile(profile))
    return submissions, list(stock_deliveries("stock", needed(submissions), threshold=0))


def _generated(count: int, seed: int) -> tuple[list[Submission], list[dict[str, Any]]]:
    generated = generate(count, seed)
    return list(generated.submissions), list(stock_deliveries("stock", generated.stock))


def _fail(message: str, *, status: int = 1) -> NoReturn:
    print_line(_err, message)
    raise typer.Exit(status)


def main() -> None:
    """Run the command line. What goes wrong with the pipeline is printed in a line, without a traceback."""
    try:
        app()
    except (EmulatorError, DeploymentError, NotStocked, Unpublished) as problem:
        print_line(_err, str(problem))
        sys.exit(1)
