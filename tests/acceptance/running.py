"""Running checks: lanes side by side, each check with a deadline, and on Ctrl-C everything restored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

from tests.acceptance.check import Check, NotSet, Result, Verdict
from tests.acceptance.environment import Environment
from tests.acceptance.watch import Interrupted, Watch


def run(
    lanes: Sequence[Sequence[Check]], environment: Environment, on_result: Callable[[Result], None]
) -> list[Result]:
    """What came of each check, in the order of the lanes. ``on_result`` is told of each as it ends.

    Interrupted, as by Ctrl-C, every check under way restores what it changed first.
    """
    interrupted = Event()
    by_name: dict[str, Result] = {}

    def run_lane(lane: Sequence[Check]) -> None:
        for check in lane:
            by_name[check.name] = result = outcome(check, environment, interrupted)
            on_result(result)

    with ThreadPoolExecutor(len(lanes)) as threads:
        try:
            for done in as_completed([threads.submit(run_lane, lane) for lane in lanes]):
                done.result()
        except BaseException:
            interrupted.set()
            raise
    return [by_name[check.name] for lane in lanes for check in lane]


def outcome(check: Check, environment: Environment, interrupted: Event) -> Result:
    """Run a check; whatever it raises is what came of it.

    Raises:
        Interrupted: the program is to end.
    """

    def result(verdict: Verdict, reason: str) -> Result:
        return Result(check.name, check.proves, verdict, time.monotonic() - began, {}, reason)

    began = time.monotonic()
    if environment.here and check.not_here:
        return result(Verdict.NOT_HERE, check.not_here)
    watch = Watch(check.minutes * 60, interrupted, poll_seconds=environment.connection.poll_seconds)
    try:
        watch.pause(0, check.name)
        evidence = check.prove(environment, watch)
    except Interrupted:
        raise
    except NotSet as missing:
        return result(Verdict.NOT_SET, str(missing))
    except Exception as problem:
        return result(Verdict.FAILED, f"{type(problem).__name__}: {problem}")
    return Result(check.name, check.proves, Verdict.PASSED, time.monotonic() - began, evidence)
