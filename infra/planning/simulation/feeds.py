"""What feeds functions: queues, whose pollers gather batches, and streams, whose lanes are read one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

import simpy

from infra.planning.simulation.calls import Process
from infra.planning.stages import Stage

Record = TypeVar("Record")
Call = Callable[[Stage, list[Record]], Process]
"""What is done with a batch."""


class Queue(Generic[Record]):
    """A queue: each of its pollers gathers a batch for a window, and calls the function as soon as it may run.

    While all calls that may run at the same time are busy, what comes waits in the queue, and batches become larger.
    ``waiting`` are the messages that the function is not done with.
    """

    def __init__(self, env: simpy.Environment, stage: Stage, call: Call[Record]) -> None:
        self.waiting = 0
        self._env = env
        self._stage = stage
        self._call = call
        self._slots = simpy.Resource(env, stage.at_once or 1)
        self._queue: deque[Record] = deque()
        self._idle = stage.gatherers
        self._gathering: deque[tuple[list[Record], simpy.Event]] = deque()
        self._stopped = False

    def put(self, record: Record) -> None:
        """A message: for a poller that has nothing, else for the next one that gathers."""
        self.waiting += 1
        if self._idle and not self._stopped:
            self._idle -= 1
            self._env.process(self._poll([record]))
        elif self._gathering and not self._stopped:
            batch, full = self._gathering[0]
            batch.append(record)
            if len(batch) == self._stage.batch_size:
                self._gathering.popleft()
                full.succeed()
            else:
                self._gathering.rotate(-1)
        else:
            self._queue.append(record)

    def stop(self) -> None:
        """Let messages wait."""
        self._stopped = True

    def resume(self) -> None:
        """Let all pollers begin again."""
        self._stopped = False
        while self._idle and (batch := self._taken()):
            self._idle -= 1
            self._env.process(self._poll(batch))

    def _poll(self, batch: list[Record]) -> Process:
        while batch:
            if self._stage.window_seconds and len(batch) < self._stage.batch_size:
                gathered = batch, self._env.event()
                self._gathering.append(gathered)
                yield gathered[1] | self._env.timeout(self._stage.window_seconds)
                if not gathered[1].triggered:
                    self._gathering.remove(gathered)
            slot = self._slots.request()
            yield slot
            self._env.process(self._called(batch, slot))
            batch = self._taken()
        self._idle += 1

    def _called(self, batch: list[Record], slot: simpy.resources.resource.Request) -> Process:
        yield from self._call(self._stage, batch)
        self._slots.release(slot)
        self.waiting -= len(batch)

    def _taken(self) -> list[Record]:
        most = 0 if self._stopped else self._stage.batch_size
        return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]


class Stream(Generic[Record]):
    """The stream of a table: each of its lanes is read four times a second, and next when a batch is done with.

    ``waiting`` are the changes that the function is not done with.
    """

    def __init__(
        self, env: simpy.Environment, stage: Stage, call: Call[Record], polled_seconds: float, random: Random
    ) -> None:
        self.waiting = 0
        self._env = env
        self._stage = stage
        self._call = call
        self._seconds = max(polled_seconds, stage.window_seconds)
        self._random = random
        self._lanes: list[deque[Record]] = [deque() for _ in range(stage.gatherers)]
        self._read = [False] * len(self._lanes)
        self._stopped = False

    def put(self, record: Record) -> None:
        """A change, of whatever partition."""
        self.waiting += 1
        lane = self._random.randrange(len(self._lanes))
        self._lanes[lane].append(record)
        self._begin(lane)

    def stop(self) -> None:
        """Let changes wait."""
        self._stopped = True

    def resume(self) -> None:
        """Read all lanes again."""
        self._stopped = False
        for lane in range(len(self._lanes)):
            self._begin(lane)

    def _begin(self, lane: int) -> None:
        if self._lanes[lane] and not (self._read[lane] or self._stopped):
            self._read[lane] = True
            self._env.process(self._poll(lane))

    def _poll(self, lane: int) -> Process:
        records = self._lanes[lane]
        wait = self._random.uniform(0, self._seconds)
        while records and not self._stopped:
            yield self._env.timeout(wait)
            wait = self._seconds
            full = True
            while full and records and not self._stopped:
                batch = [records.popleft() for _ in range(min(self._stage.batch_size, len(records)))]
                yield from self._call(self._stage, batch)
                self.waiting -= len(batch)
                full = len(batch) == self._stage.batch_size
        self._read[lane] = False


Feed = Queue[Record] | Stream[Record]
"""What feeds a function."""
