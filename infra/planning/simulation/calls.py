"""How long a call of a function takes: on AWS, where each has a processor of its own, and on one machine."""

from __future__ import annotations

from collections.abc import Generator
from math import log, sqrt
from random import Random
from typing import Any, Protocol

import simpy

from infra.planning.simulation.machine import Emulated, Machine
from infra.planning.stages import Stage

Process = Generator[simpy.Event, Any, None]
"""What goes on in a simulation: it stops at events, and goes on when they happen."""

VARIATION = 0.6
"""The standard deviation of a call's time, as a share of its mean: of most functions here, 0.5 to 0.7.

Times are lognormal: they are never negative, most are a little shorter than the mean, and a few are much longer, as
here.
"""

_SIGMA = sqrt(log(1 + VARIATION**2))
_TURN_SECONDS = 0.004
"""For how long a processor works for one before it goes on for another: the order of what Linux does."""
INVOCATION = 2
"""Requests to the emulator: a function asks for a call, and answers it."""


def requests_outside(stage: Stage, records: float) -> float:
    """How many requests to outside services a call makes."""
    return records if stage.outside_seconds else 0.0


def varied(mean: float, random: Random) -> float:
    """A time whose mean that is."""
    return mean * random.lognormvariate(-(_SIGMA**2) / 2, _SIGMA)


class Calls(Protocol):
    """What does the work of functions and services."""

    def call(self, stage: Stage, records: int, *, outside: bool) -> Process:
        """A call of a function with so many records, with or without its waits for outside services."""

    def deliver(self, events: int, /) -> Process:
        """Passing events on, between services."""


class AwsCalls:
    """On AWS nobody waits for a processor."""

    def __init__(self, env: simpy.Environment, machine: Machine, random: Random) -> None:
        self._env = env
        self._bus_seconds = machine.bus_seconds
        self._seconds = {stage.function: stage.seconds for stage in machine.stages}
        self._random = random

    def call(self, stage: Stage, records: int, *, outside: bool) -> Process:
        """It works with its part of a processor, and waits for others."""
        seconds = self._seconds[stage.function].of(records) - (0 if outside else stage.outside_seconds * records)
        yield self._env.timeout(varied(seconds, self._random))

    def deliver(self, _events: int, /) -> Process:
        """It takes a while, however many there are."""
        yield self._env.timeout(varied(self._bus_seconds, self._random))


class EmulatedCalls:
    """On one machine all functions and the emulator share the processors, and the emulator works on one at a time."""

    def __init__(self, env: simpy.Environment, machine: Machine, emulated: Emulated, random: Random) -> None:
        self._env = env
        self._random = random
        self._hop_seconds = machine.bus_seconds
        self._request_seconds = emulated.request_ms / 1000
        self._processors = simpy.Resource(env, emulated.processors)
        self._emulator = simpy.Resource(env, 1)

    def call(self, stage: Stage, records: int, *, outside: bool) -> Process:
        """Its work is divided by the requests that it makes. The emulator stands for outside services, too."""
        requests = max(1, round(stage.aws_calls.of(records) + requests_outside(stage, records) * outside))
        work = varied(stage.processor_ms.of(records) / 1000, self._random) / (requests + 1)
        yield from self._asked(INVOCATION)
        for _ in range(requests):
            yield from self._work(work)
            yield from self._asked(1)
        yield from self._work(work)

    def deliver(self, events: int, /) -> Process:
        """The emulator passes each on."""
        yield from self._asked(events)
        yield self._env.timeout(varied(self._hop_seconds, self._random))

    def _asked(self, requests: int) -> Process:
        with self._emulator.request() as turn:
            yield turn
            yield from self._work(varied(requests * self._request_seconds, self._random))

    def _work(self, seconds: float) -> Process:
        while seconds > 0:
            with self._processors.request() as turn:
                yield turn
                yield self._env.timeout(min(seconds, _TURN_SECONDS))
            seconds -= _TURN_SECONDS


def calls(env: simpy.Environment, machine: Machine, random: Random) -> Calls:
    """What does the work on a machine."""
    if machine.emulated:
        return EmulatedCalls(env, machine, machine.emulated, random)
    return AwsCalls(env, machine, random)
