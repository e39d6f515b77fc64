"""The memory of processes: of functions as they run on this machine, and of the emulator."""

from __future__ import annotations

import base64
import csv
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any, NamedTuple

import psutil

from infra.local.pipeline import Pipeline
from tests.acceptance.environment import SPECS

EMULATOR = "the emulator"
_BLOCKS = 10
_LOOK_SECONDS = 60.0
_END = '"Processor:"'
"""What our runtime says at the end of a call; the emulator says so, too, in other words."""

_CONFIDENCE = 0.95


class Resident(NamedTuple):
    """What a process held at a moment: kilobytes that are resident."""

    at: float
    function: str
    process: int
    kilobytes: int


class Processes:
    """The processes of a pipeline on this machine, as they come and go.

    A function runs in a folder named by the hash of its code.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._emulator = psutil.Process(pipeline.emulator.pid)
        client = pipeline.client("lambda")
        self._functions = {
            base64.b64decode(
                client.get_function_configuration(FunctionName=pipeline.outputs[name])["CodeSha256"]
            ).hex(): key
            for key, spec in SPECS.items()
            if (name := f"{spec.name}FunctionName") in pipeline.outputs
        }

    def residents(self, at: float) -> list[Resident]:
        """What each of them holds now."""
        found = [Resident(at, EMULATOR, self._emulator.pid, _kilobytes(self._emulator))]
        for process in self._emulator.children(recursive=True):
            try:
                function = self._functions.get(Path(process.cwd()).name)
                if function is not None:
                    found.append(Resident(at, function, process.pid, _kilobytes(process)))
            except psutil.NoSuchProcess:
                continue
        return found


def _kilobytes(process: psutil.Process) -> int:
    kilobytes: int = process.memory_info().rss // 1024
    return kilobytes


def calls(pipeline: Pipeline, began: float, ended: float) -> dict[str, int]:
    """How often each function was called between two moments (Unix time), by what the emulator logs of each call."""
    logs, functions = pipeline.client("logs"), pipeline.client("lambda")
    counted: dict[str, int] = {}
    for key, spec in SPECS.items():
        name = pipeline.outputs.get(f"{spec.name}FunctionName")
        if name is not None:
            group = functions.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
            counted[key] = sum(
                len(_ended(logs, group, at, min(at + _LOOK_SECONDS, ended)))
                for at in itertools.takewhile(lambda at: at < ended, itertools.count(began, _LOOK_SECONDS))
            )
    return counted


def _ended(logs: Any, group: str, began: float, ended: float) -> list[Any]:
    """The emulator answers with no more than 10,000 events, and does not say that there are more."""
    found: list[Any] = logs.filter_log_events(
        logGroupName=group, startTime=int(began * 1000), endTime=int(ended * 1000) - 1, filterPattern=_END
    )["events"]
    return found


def write(residents: Sequence[Resident], file: Path) -> None:
    """Write them as CSV."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(Resident._fields)
        writer.writerows(residents)


@dataclass(frozen=True)
class Growth:
    """By how many KB the processes of a function grow in 1,000 calls, between which bounds with a confidence of 95 %.

    ``megabytes`` is what one of them held in the end, on average.
    """

    processes: int
    calls: int
    megabytes: float
    slope: float
    least: float
    most: float


def growth(residents: Sequence[Resident], calls: int) -> Growth | None:
    """How the processes of one function grew, that were called so often meanwhile; None if that cannot be told.

    Memory grows in steps and stays, so what a process holds at one time says much about what it holds next: what it
    grew by from one tenth of the time to the next is taken for independent. The estimate is the mean of that.
    """
    if not residents or not calls:
        return None
    began, ended = residents[0].at, residents[-1].at
    tenth = (ended - began) / _BLOCKS
    held: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for each in residents:
        held[each.process][min(int((each.at - began) / tenth), _BLOCKS - 1)].append(each.kilobytes)
    for process, tenths in held.items():
        if min(tenths) > 0:  # it began meanwhile: what it loads at first is no growth
            del held[process][min(tenths)]
    means = [[fmean(tenths[n]) for n in sorted(tenths)] for tenths in held.values() if tenths]
    steps = [after - before for each in means for before, after in itertools.pairwise(each)]
    if len(steps) < _BLOCKS - 1:
        return None
    calls_per_step = calls / sum(map(len, means))
    mean, error = fmean(steps), _t(len(steps) - 1) * stdev(steps) / math.sqrt(len(steps))
    slope, least, most = (1000 * value / calls_per_step for value in (mean, mean - error, mean + error))
    return Growth(len(means), calls, fmean(each[-1] for each in means) / 1024, slope, least, most)


def _t(freedom: int) -> float:
    """Student's t for the confidence, by the expansion of Cornish and Fisher: within 3 % from three degrees on."""
    z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def together(growths: Mapping[str, Growth]) -> Growth | None:
    """Of all functions together, weighted by their calls."""
    calls = sum(each.calls for each in growths.values())
    if not calls:
        return None
    weights = {name: each.calls / calls for name, each in growths.items()}
    slope = sum(weights[name] * each.slope for name, each in growths.items())
    error = math.sqrt(sum((weights[name] * (each.most - each.slope)) ** 2 for name, each in growths.items()))
    processes = sum(each.processes for each in growths.values())
    megabytes = sum(each.megabytes * each.processes for each in growths.values()) / processes
    return Growth(processes, calls, megabytes, slope, slope - error, slope + error)
