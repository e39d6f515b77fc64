"""Signals to the command line: real processes end with the status of the signal, without a traceback."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from handlers.operations.replay import QUEUE_PREFIX
from tests.builders.commands import HEED_CTRL_C
from tests.builders.environment import ARCHIVE, BUS, OUTPUTS

SECONDS = 60
SIGNALS = [signal.SIGINT, signal.SIGTERM]

RUN = "from infra.cli.main import main; main()"
"""What the script `pipeline` does."""

STOP_AT_IMPORT = """
import sys
class Stopping:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("importing", flush=True)
            sys.stdin.read()
sys.meta_path.insert(0, Stopping())
"""
"""Lets a process stop in the middle of importing a module, until its standard input ends."""

ON_AWS = f"""
import atexit
from botocore.session import Session
from moto import mock_aws
mock_aws().start()
from infra.cli.connection import Connection
from tests.builders.environment import ARCHIVE, BUS, OUTPUTS
Connection.outputs = {OUTPUTS!r}
events, sqs = (Session().create_client(name, region_name="us-east-1") for name in ("events", "sqs"))
bus = events.create_event_bus(Name={BUS!r})["EventBusArn"]
events.create_archive(ArchiveName={ARCHIVE!r}, EventSourceArn=bus)
def left():
    queues = sqs.list_queues().get("QueueUrls", [])
    rules = events.list_rules(EventBusName={BUS!r}, NamePrefix={QUEUE_PREFIX!r})["Rules"]
    print("left:", [*queues, *rules])
atexit.register(left)
"""
"""Gives a process an imitation of AWS that has an archive; at its end it prints the queues and rules it left."""


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the program, with these arguments; it does not outlive the block."""
    command, pipe = [sys.executable, "-c", HEED_CTRL_C + program, *arguments], subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "module", ["infra.cli.app", "typer", "infra.cli.order_commands", "botocore.session", "pydantic"]
)
def test_a_signal_while_a_command_is_imported_ends_it(module: str, number: signal.Signals) -> None:
    with running(STOP_AT_IMPORT.format(module=module) + RUN, "status", "o1") as process:
        assert process.stdout
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        assert process.communicate(timeout=SECONDS) == ("", "")
        assert process.returncode == 128 + number


def test_a_replay_that_is_terminated_says_how_to_continue() -> None:
    start = (datetime.now(UTC) - timedelta(days=100)).replace(second=0, microsecond=0)
    with running(ON_AWS + RUN, "replay", "--from", start.isoformat(), "--window", "1m") as process:
        assert process.stderr
        assert process.stdout
        first = process.stderr.readline()
        assert first.startswith("replayed ")
        process.send_signal(signal.SIGTERM)
        # `communicate` would lose the lines that came together with the first one.
        errors, printed = process.stderr.read(), process.stdout.read()
        assert process.wait(SECONDS) == 128 + signal.SIGTERM
    assert printed == "left: []\n"
    *replayed, last = [first, *errors.splitlines()]
    assert last.startswith("to continue: pipeline replay ")
    arguments = shlex.split(last)
    since = datetime.fromisoformat(arguments[arguments.index("--from") + 1])
    # The signal may come after a window was replayed and before its line was printed.
    assert (since - start) / timedelta(minutes=1) in {len(replayed), len(replayed) + 1}


def test_a_command_in_the_background_ignores_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore SIGINT."""
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    with running(ignored + ON_AWS + RUN, "tail") as process:
        assert process.stderr
        assert process.stderr.readline().startswith("listening")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=SECONDS) == ("left: []\n", "")
        assert process.returncode == 128 + signal.SIGTERM
