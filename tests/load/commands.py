"""The program: load an environment, print a table, write the report."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Annotated
from uuid import uuid4

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from events.publishing.publisher import Entry, Publisher, Unpublished
from infra.cli.command_error import CommandError
from infra.deployment.refusals import Refused
from infra.local.deploy import DeploymentError
from infra.local.emulator.process import EmulatorError
from infra.local.pipeline import Pipeline, pipeline
from infra.local.runner.display import print_line
from infra.local.runner.stock_deliveries import STOCK_DELIVERED
from infra.settings.environment import InvalidSettings
from infra.signals import Ended, leaving_undisturbed
from tests.acceptance.watch import TooLate, Watch
from tests.load import memory, outcome, records, report, verdict
from tests.load.ended import EndedOrders
from tests.load.memory import Processes, Resident
from tests.load.orders import LoadOrders
from tests.load.records import Request
from tests.load.shape import SOAK, SOAK_SECONDS
from tests.load.target import email_of, environment_of

FOLDER = Path("build/load")
WAIT_SCALE = 0.05
"""What the waits of state machines take of their time here, as where throughput is measured."""

_USERS = Path(__file__).with_name("users.py")
_STOCKED_WITHIN_SECONDS = 300.0
_DRAINED_WITHIN_SECONDS = 300.0
_FOLLOWED_WITHIN_SECONDS = 120.0
_STOPPED_WITHIN_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 2.0
_WIDTH = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


class NotSent(Exception):
    """Locust did not do its part; the message says where it says why."""


@app.command()
def load(
    env: Annotated[str | None, typer.Option(help="An environment on AWS; without it, one is started here.")] = None,
    seconds: Annotated[float, typer.Option(help="How long the soak takes; with less, other stages do, too.")] = (
        SOAK_SECONDS
    ),
) -> None:
    """Load the pipeline over HTTP and by PutEvents. Exits with 1 if something is not as it has to be."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with _local(env) as here:
        request = Request(env, here.endpoint if here else None, f"load-{uuid4().hex[:8]}", seconds, os.getpid())
        Load(request, here, FOLDER, _console()).run()


def _console() -> Console:
    """The terminal, or as much room as the tables need."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDTH)


@contextmanager
def _local(env: str | None) -> Iterator[Pipeline | None]:
    if env is not None:
        yield None
        return
    print_line(Console(), "synthesizing, starting the emulator and deploying")
    with leaving_undisturbed(pipeline()) as deployed:
        deployed.emulator.scale_waits(WAIT_SCALE)
        yield deployed


class Load:
    """One load of one environment; ``here`` is the pipeline, if that is on this machine."""

    def __init__(self, request: Request, here: Pipeline | None, folder: Path, console: Console) -> None:
        self._request = request
        self._folder = folder
        self._console = console
        self._here = here
        self._environment = environment_of(request)
        self._orders = LoadOrders(request.run, self._environment.shop, email_of(self._environment))
        self._ended = EndedOrders(self._environment, self._orders.customer_ids)
        self._residents: list[Resident] = []

    def run(self) -> None:
        """Send, judge and report.

        Raises:
            typer.Exit: something is not as it has to be.
            Ended: a signal ended it; what was measured until then is reported.
            TooLate, Unpublished, NotSent: it could not be begun.
        """
        self._stock()
        self._request.write(self._folder)
        ended: Ended | None = None
        try:
            self._send()
            measured = self._judged()
        except Ended as signalled:
            ended, measured = signalled, self._measured({})
        if self._residents:
            memory.write(self._residents, self._folder / "memory.csv")
        failures = list(verdict.failures(measured, records.read_sent(self._folder)))
        report.write(measured, failures, self._folder / "report.json")
        report.show(measured, failures, self._console)
        self._say(f"{self._folder}/report.json, {self._folder}/locust.html, and CSV files beside them")
        if ended is not None:
            raise ended
        if failures:
            raise typer.Exit(1)

    def _stock(self) -> None:
        """Put on the shelves what the orders ask for."""
        environment = self._environment
        self._say("stocking the warehouse")
        publisher = Publisher(
            environment.client("events"), environment.outputs["IntakeBusName"], environment.warehouse_source
        )
        publisher.publish(Entry.untyped(STOCK_DELIVERED, each) for each in self._orders.deliveries)
        missing = {line["sku"] for each in self._orders.deliveries for line in each["lines"]}
        stock = environment.connection.stock

        def all_there() -> bool:
            missing.difference_update({sku for sku in missing if (stocked := stock.by_sku(sku)) and stocked.available})
            return not missing

        self._watch(_STOCKED_WITHIN_SECONDS).until(all_there, "all goods in stock")

    def _send(self) -> None:
        """Let Locust send, and read the memory of processes meanwhile."""
        processes = Processes(self._here) if self._here is not None else None
        stage = ""
        with self._locust() as running:
            while running.poll() is None:
                time.sleep(_LOOK_EVERY_SECONDS)
                if processes is not None:
                    self._residents += processes.residents(time.time())
                ticks = records.read_ticks(self._folder)
                if ticks and ticks[-1].stage != stage:
                    stage = ticks[-1].stage
                    capacity = records.read_capacity(self._folder)
                    of = f", of a capacity of {capacity.per_second:.1f}" if capacity else ""
                    self._say(f"{stage}: {ticks[-1].rate:.1f} orders a second{of}")
        if running.returncode or not records.read_ticks(self._folder):
            raise NotSent(f"Locust ended with {running.returncode}: {self._folder}/locust.log says why")

    @contextmanager
    def _locust(self) -> Iterator[subprocess.Popen[bytes]]:
        """Locust, which ends in order with the block, however that ends: its reports are written then."""
        name = str(self._folder / "locust")
        options = ["--headless", "--only-summary", "--stop-timeout", "10", "--exit-code-on-error", "0"]
        reports = ["--html", f"{name}.html", "--csv", name]
        with Path(f"{name}.log").open("wb") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", "locust", "-f", str(_USERS), *options, *reports],
                env={**os.environ, "LOAD_FOLDER": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches this process, which then ends Locust in order.
                start_new_session=True,
            )
            try:
                yield running
            finally:
                if running.poll() is None:
                    running.send_signal(signal.SIGINT)
                    try:
                        running.wait(_STOPPED_WITHIN_SECONDS)
                    except subprocess.TimeoutExpired:
                        running.kill()
                        running.wait()

    def _judged(self) -> verdict.Measured:
        """Wait until nothing moves any more, and read what became of the orders."""
        environment, sent = self._environment, records.read_sent(self._folder)
        accepted = sum(each.accepted for each in sent)
        self._say(f"{accepted} orders were accepted; waiting until all have ended")
        began = time.monotonic()
        waiting = outcome.drained(environment, self._watch(_DRAINED_WITHIN_SECONDS), self._ended, accepted)
        drained_seconds = time.monotonic() - began
        self._say("reading what became of them")
        found = outcome.examined(environment, self._watch(_FOLLOWED_WITHIN_SECONDS))
        lost, different, took = outcome.became(self._orders, sent, found.snapshot)
        findings = [f"{problem.about}: {problem.wrong}" for problem in found.problems]
        if self._here is not None:
            findings += outcome.audited(self._here, self._orders, sent, found, waiting)
        return replace(
            self._measured(took),
            drained_seconds=drained_seconds,
            waiting=waiting,
            lost=lost,
            different=different,
            findings=findings,
        )

    def _measured(self, took: Mapping[int, float]) -> verdict.Measured:
        """What is known without asking what became of the orders."""
        ticks, sent = records.read_ticks(self._folder), records.read_sent(self._folder)
        measured = verdict.Measured(verdict.stages(ticks, sent, took), records.read_capacity(self._folder))
        soak = [each for each in ticks if each.stage == SOAK]
        if self._here is None:
            note = "memory: not read; Lambda tells it in lines that are logged at INFO, and the log's level is WARN"
            return replace(measured, notes=[note])
        if len(soak) < 2:
            return measured
        residents = [each for each in self._residents if soak[0].at <= each.at <= soak[-1].at]
        calls = memory.calls(self._here, soak[0].at, soak[-1].at)
        grown = {
            function: found
            for function, number in calls.items()
            if (found := memory.growth([each for each in residents if each.function == function], number))
        }
        emulator = [each.kilobytes for each in residents if each.function == memory.EMULATOR]
        orders = soak[-1].accepted - soak[0].accepted
        per_order = (emulator[-1] - emulator[0]) / orders if emulator and orders else None
        return replace(measured, memory=grown, emulator_kb_per_order=per_order)

    def _watch(self, seconds: float) -> Watch:
        return Watch(seconds, Event(), poll_seconds=self._environment.connection.poll_seconds)

    def _say(self, line: str) -> None:
        print_line(self._console, f"{time.strftime('%H:%M:%S')}  {line}")


def main() -> None:
    """Run the command line. What keeps it from loading is printed in a line."""
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
        Unpublished,
        NotSent,
    ) as problem:
        sys.exit(f"{problem}")
