"""Rebuilding a projection beside the live one, and following that."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import connection
from infra.cli.arguments import ProjectionName, duration, projection
from infra.cli.errors import Failure
from infra.cli.output import err, out, show, tell

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

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
    KEPT: "keeping the old generation for as long as was said",
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
_PAGE = 100


def rebuild(
    context: typer.Context,
    name: ProjectionName,
    keep: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to keep the old generation, to go back to.")
    ] = "24h",
    afresh: Annotated[bool, typer.Option("--afresh", help="Give up a generation that was begun.")] = False,
) -> None:
    """Build a projection anew beside the live one, check it against the log, and let readers see it."""
    pipeline = connection.of(context)
    projection(name)
    keep_seconds = int(duration(keep).total_seconds())
    if keep_seconds > _LONGEST_KEPT.total_seconds():
        raise Failure(f"--keep {keep}: {_LONGEST_KEPT.days}d at most", status=2)
    machine = pipeline.outputs.get("RebuildStateMachineArn")
    if machine is None:
        raise Failure("what is deployed there cannot rebuild projections: deploy this version first")
    client = pipeline.client("stepfunctions")
    wanted = {"projection": name, "keep_seconds": keep_seconds, "restart": afresh}
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(wanted))["executionArn"]
    course = _Course()
    try:
        with _telling() as tell_step:
            for event in _happened(client, execution, pipeline.poll_seconds):
                if step := course.take(event):
                    tell_step(step)
                if course.state == KEPT and keep_seconds:
                    break
    except KeyboardInterrupt:
        tell(err(), f"it goes on by itself; to see how far it is: {pipeline.command('generations', name)}")
        tell(err(), f"its execution: {execution}")
        raise typer.Exit(128 + signal.SIGINT) from None
    if course.failure:
        again = pipeline.command("rebuild", name, "--keep", keep)
        tell(err(), _REDRIVE.format(execution) if course.switched else f"to go on with what was begun: {again}")
        if not course.switched:
            tell(err(), f"after a change of its code: {again} --afresh")
        raise Failure(course.failure)
    show(out(), ("", ""), course.result())
    if course.state == KEPT:
        tell(err(), f"for {keep}, to go back to the old generation: {pipeline.command('rollback', name)}")


@dataclass
class _Course:
    """What an execution has come to, event by event of its history."""

    state: str = ""
    switched: bool = False
    failure: str | None = None
    _judged: Mapping[str, Any] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any]) -> str | None:
        """Take the next event; returns what is done from there on, in words, if that is something else."""
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            if name not in WORDS:  # within a Map
                return None
            before, self.state = WORDS.get(self.state), name
            self.switched = self.switched or name == KEPT
            return WORDS[name] if WORDS[name] != before else None
        if kind == "TaskStateExited" and event["stateExitedEventDetails"]["name"] == "Evaluate":
            self._judged = json.loads(event["stateExitedEventDetails"]["output"])
        elif kind in _FAILURES:
            details = event.get(_FAILURES[kind], {})
            told = f"{details.get('error') or kind}: {_cause(details.get('cause', ''))}".rstrip(": ")
            self.failure = f"failed while {WORDS.get(self.state, 'starting')}: {told}"
        return None

    def result(self) -> Iterator[tuple[str, str]]:
        """What was built, and what was found when it was checked."""
        judged = self._judged["evaluation"]
        of = f" of {judged['streams']}: a sample" if judged["compared"] < judged["streams"] else ""
        yield "projection", self._judged["projection"]
        yield "generation", self._judged["generation"]
        yield "events", str(judged["events"])
        yield "streams", str(judged["streams"])
        yield "compared with the log", f"{judged['compared']}{of}"
        if judged["counters_moving"]:
            yield "counters", "moved all the while: what they add up to was not compared"


_FAILURES = {
    "ExecutionFailed": "executionFailedEventDetails",
    "ExecutionTimedOut": "executionTimedOutEventDetails",
    "ExecutionAborted": "executionAbortedEventDetails",
}
_ENDS = {*_FAILURES, "ExecutionSucceeded"}


def _happened(client: SFNClient, execution: str, poll_seconds: float) -> Iterator[Mapping[str, Any]]:
    """The events of an execution's history, as they come, until it has ended."""
    seen = 0
    while True:
        for event in reversed(list(_newer(client, execution, seen))):
            yield event
            seen = event["id"]
            if event["type"] in _ENDS:
                return
        time.sleep(poll_seconds)


def _newer(client: SFNClient, execution: str, seen: int) -> Iterator[Mapping[str, Any]]:
    """The events after one, the newest first, so that no more is read than is new."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, reverseOrder=True, PaginationConfig={"PageSize": _PAGE}
    )
    for page in pages:
        for event in page["events"]:
            if event["id"] <= seen:
                return
            yield event


def _cause(told: str) -> str:
    """The message in what a function failed with, if it is that."""
    try:
        cause = json.loads(told)
    except ValueError:
        return told
    return str(cause.get("errorMessage", told)) if isinstance(cause, dict) else told


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Tells steps: beside a spinner on a terminal, elsewhere as lines."""
    console = err()
    if not console.is_terminal:
        yield lambda step: tell(console, step)
        return
    with console.status("") as spinner:
        yield spinner.update
