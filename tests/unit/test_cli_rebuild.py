"""Rebuilds from the command line, followed in words; and rollbacks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from typer.testing import Result

from handlers.projections.engine.generations import GenerationStore
from handlers.projections.registry import PROJECTIONS
from handlers.table.event_store import EventStore
from infra.cli.connection import Connection
from infra.cli.rebuild_command import KEPT, WORDS
from infra.signals import Ended
from tests.builders.commands import run_command
from tests.builders.environment import OUTPUTS
from tests.builders.executions import EXECUTION, MACHINE, Event, Machine, failed
from tests.builders.feeds import FUNCTION_NAMES, client
from tests.engines.saga_machine import definition


def entered(*names: str) -> list[Event]:
    return [{"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}} for name in names]


def judged(**more: Any) -> Event:
    found = {"events": 12, "streams": 5, "compared": 5, "counters_moving": False, **more}
    output = json.dumps({"projection": "order_view", "generation": "2", "evaluation": found})
    return {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Evaluate", "output": output}}


BUILT = [
    entered("OpenGeneration", "AwaitWriters"),
    [],
    entered("ReplayArchive", "CheckReplay", "IsReplayed", "AwaitReplay", "CheckReplay"),
    entered("FillFromLog", "FillSegment", "IsSegmentFilled", "FillSegment"),
    [*entered("CompareWithLog", "CompareSegment", "Evaluate"), judged()],
]
SWITCHED = entered("NeedsAnotherRound", "SwitchReaders", "KeepOldGeneration")
DELETED = [*entered("CloseOldGeneration", "DropOldGeneration", "Rebuilt"), {"type": "ExecutionSucceeded"}]


def rebuilt(monkeypatch: pytest.MonkeyPatch, batches: Sequence[list[Event]], *arguments: str) -> tuple[Result, Machine]:
    machine = Machine(list(batches))
    clients = {"stepfunctions": machine, "lambda": client("lambda")}
    monkeypatch.setattr(Connection, "client", lambda self, service: clients[service])
    monkeypatch.setattr(Connection, "outputs", {**OUTPUTS, "RebuildStateMachineArn": MACHINE, **FUNCTION_NAMES})
    monkeypatch.setattr(Connection, "poll_seconds", 0)
    return run_command("rebuild", *arguments), machine


def test_it_is_followed_until_readers_are_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    result, machine = rebuilt(monkeypatch, [*BUILT, SWITCHED], "order_view")
    assert result.exit_code == 0, result.stderr
    assert machine.started == [{"projection": "order_view", "keep_seconds": 86_400, "restart": False}]
    assert result.stderr.splitlines() == [
        "opening a new generation",
        "waiting until every event is applied to it too",
        "replaying the archive into it",
        "filling it from the log",
        "comparing it with the log",
        "switching readers",
        "keeping the old generation for as long as was asked for",
        "for 24h, to go back to the old generation: pipeline rollback order_view",
    ]
    assert dict(line.split("\t") for line in result.stdout.splitlines()) == {
        "projection": "order_view",
        "generation": "2",
        "events": "12",
        "streams": "5",
        "compared with the log": "5",
    }
    assert machine.read <= 2 * len(machine.history), "no more is read than is new"


def test_a_sample_and_counters_that_changed_are_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    last = judged(streams=250_000, compared=100_012, counters_moving=True)
    result, _ = rebuilt(monkeypatch, [*BUILT, [last, *SWITCHED]], "order_view")
    printed = dict(line.split("\t") for line in result.stdout.splitlines())
    assert printed["compared with the log"] == "100012 of 250000: a sample"
    assert "not compared" in printed["counters"]


def test_where_the_old_generation_is_not_kept_it_is_followed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("order_view", "--keep", "0s", "--restart")
    result, machine = rebuilt(monkeypatch, [*BUILT, SWITCHED, DELETED], *arguments)
    assert result.exit_code == 0
    assert machine.started == [{"projection": "order_view", "keep_seconds": 0, "restart": True}]
    assert result.stderr.splitlines()[-2:] == ["deleting the old generation", "done"]
    assert "rollback" not in result.stderr


def test_a_generation_that_differs_names_its_streams_and_how_to_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "generation 2 of order_view differs from the log in 1 streams: order#demo.o1"
    last = [*entered("CompareWithLog", "Evaluate"), failed("GenerationDiffers", message)]
    result, _ = rebuilt(monkeypatch, [*BUILT[:-1], last], "order_view", "--keep", "7d")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-3:] == [
        "to continue with what was begun: pipeline rebuild order_view --keep 7d",
        "after a change of its code: pipeline rebuild order_view --keep 7d --restart",
        f"failed while comparing it with the log: GenerationDiffers: {message}",
    ]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ({"type": "ExecutionAborted"}, "failed while filling it from the log: ExecutionAborted"),
        (
            {"type": "ExecutionTimedOut", "executionTimedOutEventDetails": {"error": "States.Timeout"}},
            "failed while filling it from the log: States.Timeout",
        ),
        (
            {"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "Lambda.Unknown", "cause": "[1]"}},
            "failed while filling it from the log: Lambda.Unknown: [1]",
        ),
    ],
)
def test_whatever_ends_it_is_explained(monkeypatch: pytest.MonkeyPatch, end: Event, message: str) -> None:
    result, _ = rebuilt(monkeypatch, [[*entered("OpenGeneration", "FillFromLog"), end]], "order_view")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == message


def test_what_fails_after_the_switch_is_continued_by_a_redrive(monkeypatch: pytest.MonkeyPatch) -> None:
    last = [*entered("DropOldGeneration"), failed("Unreadable", "no")]
    result, _ = rebuilt(monkeypatch, [*BUILT, SWITCHED, last], "order_view", "--keep", "0s")
    assert result.exit_code == 1
    assert f"redrive-execution --execution-arn {EXECUTION}" in result.stderr
    assert "pipeline rebuild" not in result.stderr


def test_ctrl_c_lets_it_continue_by_itself_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise Ended(signal.SIGINT)

    monkeypatch.setattr("infra.cli.executions.time.sleep", interrupted)
    result, _ = rebuilt(monkeypatch, BUILT, "order_view")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "it continues by itself; to see how far it is: pipeline generations order_view" in result.stderr
    assert EXECUTION in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("views",), "there is no projection 'views'; there is: customer_history, daily_sales, order_view, stock_view"),
        (("order_view", "--keep", "long"), "'long' is no duration"),
        (("order_view", "--keep", "400d"), "--keep 400d: 360d at most"),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], message: str) -> None:
    result, machine = rebuilt(monkeypatch, [], *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert message in result.stderr
    assert machine.started == []


def test_a_deployment_without_rebuild_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "outputs", OUTPUTS)
    result = run_command("rebuild", "order_view")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "deploy this version first" in result.stderr


def test_there_are_words_for_every_state() -> None:
    assert set(WORDS) == set(definition("rebuild_projection")["States"])
    assert KEPT in WORDS


# Generations


def test_readers_go_back_to_the_generation_before_and_forth(store: EventStore) -> None:
    kept = GenerationStore(store.client, store.table)
    kept.change("daily_sales", lambda known: known.opened(restart=False).switched("2"))
    result = run_command("rollback", "daily_sales")
    assert (result.exit_code, result.stdout.split(";")[0]) == (0, "readers see generation 1 of daily_sales again")
    assert kept.read("daily_sales").live == "1"
    assert run_command("rollback", "daily_sales").exit_code == 0
    assert kept.read("daily_sales").live == "2"


def test_where_nothing_is_left_to_go_back_to_it_says_so(store: EventStore) -> None:
    result = run_command("rollback", "order_view")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "order_view: no generation that was live before is left; rebuild it\n"
    assert run_command("rollback", "views").exit_code == 2


def test_generations_are_listed_with_what_they_are_there_for(store: EventStore) -> None:
    kept = GenerationStore(store.client, store.table)
    kept.change("daily_sales", lambda known: known.opened(restart=False).switched("2").opened(restart=False))
    listed = [line.split("\t") for line in run_command("generations").stdout.splitlines()]
    of_sales = [["daily_sales", "1", "retiring"], ["daily_sales", "2", "live"], ["daily_sales", "3", "building"]]
    assert [row for row in listed if row[0] == "daily_sales"] == of_sales
    assert {row[0] for row in listed} == set(PROJECTIONS)
    assert [line.split("\t") for line in run_command("generations", "daily_sales").stdout.splitlines()] == of_sales
    kept.change("daily_sales", lambda known: known.closed("2"))
    assert ["daily_sales", "1", "dropping"] in [
        line.split("\t") for line in run_command("generations", "daily_sales").stdout.splitlines()
    ]
    assert run_command("generations", "views").exit_code == 2


def test_projections_are_known_without_what_only_developers_have() -> None:
    program = "import sys, handlers.projections.registry; print(sorted({'uv', 'aws_cdk'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
