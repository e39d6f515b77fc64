"""The command that rebuilds a projection beside the live one, and follows that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import typer

from infra.cli import connection
from infra.cli.arguments import duration
from infra.cli.command_error import CommandError
from infra.cli.executions import failure, happened
from infra.cli.feeds import described, feeds_of
from infra.cli.output import err, out, print_line, print_table
from infra.cli.projection_argument import ProjectionName, projection
from infra.signals import Ended

KEPT = "KeepOldGeneration"
"""The state in which readers see the new generation, and the old one is kept for a while."""

_OPENING = "opening a new generation"
_REPLAYING = "replaying the archive into it"
_COMPARING = "comparing it with the log"
_DELETING = "deleting the old generation"
WORDS = {
    "OpenGeneration": _OPENING,
    "AwaitWriters": "waiting until every event is applied to it too",
    "ReplayArchive": _REPLAYING,
    "CheckReplay": _REPLAYING,
    "IsReplayed": _REPLAYING,
    "AwaitReplay": _REPLAYING,
    "FillFromLog": "filling it from the log",
    "CompareWithLog": _COMPARING,
    "Evaluate": _COMPARING,
    "NeedsAnotherRound": _COMPARING,
    "AwaitTraffic": "waiting for what is on its way, to compare once more",
    "SwitchReaders": "switching readers",
    KEPT: "keeping the old generation for as long as was asked for",
    "CloseOldGeneration": _DELETING,
    "AwaitLastWriters": _DELETING,
    "DropOldGeneration": _DELETING,
    "ForgetOldGeneration": _DELETING,
    "Rebuilt": "done",
}
"""What each state of the rebuild does, for people."""

_REDRIVE = (
    "readers see the new generation; to delete the old one: aws stepfunctions redrive-execution --execution-arn {}"
)
_LONGEST_KEPT = timedelta(days=360)  # an execution lasts a year at most


def rebuild(
    context: typer.Context,
    name: ProjectionName,
    keep: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to keep the old generation, to go back to.")
    ] = "24h",
    restart: Annotated[bool, typer.Option("--restart", help="Discard a generation that was begun.")] = False,
) -> None:
    """Rebuild a projection beside the live one.

    A new generation is built from the archive and the log, and compared with the log. If they agree, readers see the
    new generation, and the old one is kept for a while. A projection that is paused is not rebuilt: what comes
    meanwhile would be missing from it.

    Needs states:StartExecution, states:DescribeExecution and states:GetExecutionHistory on the rebuild,
    lambda:ListEventSourceMappings, lambda:ListTags and cloudformation:DescribeStacks.
    """
    pipeline = connection.of(context)
    function = projection(name).function
    keep_seconds = int(duration(keep).total_seconds())
    if keep_seconds > _LONGEST_KEPT.total_seconds():
        raise CommandError(f"--keep {keep}: {_LONGEST_KEPT.days}d at most", status=2)
    machine = pipeline.outputs.get("RebuildStateMachineArn")
    if machine is None:
        raise CommandError("what is deployed there cannot rebuild projections: deploy this version first")
    if pause := feeds_of(pipeline).paused().get(function):
        again = pipeline.command("unpause", function)
        raise CommandError(f"{function} is paused {described(pause)}; before {name} can be rebuilt: {again}")
    client = pipeline.client("stepfunctions")
    wanted = {"projection": name, "keep_seconds": keep_seconds, "restart": restart}
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(wanted))["executionArn"]
    progress = _Progress()
    try:
        with _steps() as print_step:
            for event in happened(client, execution, pipeline.poll_seconds):
                if step := progress.take(event):
                    print_step(step)
                if progress.state == KEPT and keep_seconds:
                    break
    except Ended:
        print_line(err(), f"it continues by itself; to see how far it is: {pipeline.command('generations', name)}")
        print_line(err(), f"its execution: {execution}")
        raise
    if progress.failure:
        again = pipeline.command("rebuild", name, "--keep", keep)
        print_line(
            err(), _REDRIVE.format(execution) if progress.switched else f"to continue with what was begun: {again}"
        )
        if not progress.switched:
            print_line(err(), f"after a change of its code: {again} --restart")
        raise CommandError(progress.failure)
    print_table(out(), ("", ""), progress.result())
    if progress.state == KEPT:
        print_line(err(), f"for {keep}, to go back to the old generation: {pipeline.command('rollback', name)}")


@dataclass
class _Progress:
    """How far an execution is, event by event of its history."""

    state: str = ""
    switched: bool = False
    failure: str | None = None
    _evaluated: Mapping[str, Any] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any]) -> str | None:
        """Take the next event; returns what is done from there on, in words, if that has changed."""
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            if name not in WORDS:  # within a Map
                return None
            before, self.state = WORDS.get(self.state), name
            self.switched = self.switched or name == KEPT
            return WORDS[name] if WORDS[name] != before else None
        if kind == "TaskStateExited" and event["stateExitedEventDetails"]["name"] == "Evaluate":
            self._evaluated = json.loads(event["stateExitedEventDetails"]["output"])
        elif reason := failure(event):
            self.failure = f"failed while {WORDS.get(self.state, 'starting')}: {reason}"
        return None

    def result(self) -> Iterator[tuple[str, str]]:
        """What was built, and what was found when it was compared with the log."""
        evaluation = self._evaluated["evaluation"]
        of = f" of {evaluation['streams']}: a sample" if evaluation["compared"] < evaluation["streams"] else ""
        yield "projection", self._evaluated["projection"]
        yield "generation", self._evaluated["generation"]
        yield "events", str(evaluation["events"])
        yield "streams", str(evaluation["streams"])
        yield "compared with the log", f"{evaluation['compared']}{of}"
        if evaluation["counters_moving"]:
            yield "counters", "changed all the while: their sums were not compared"


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Prints steps: beside a spinner on a terminal, elsewhere as lines."""
    console = err()
    if not console.is_terminal:
        yield lambda step: print_line(console, step)
        return
    with console.status("") as spinner:
        yield spinner.update
