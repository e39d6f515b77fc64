"""How orders come in: by themselves at random, evenly, or as others end."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

import simpy

from infra.planning.simulation.calls import Process
from infra.planning.simulation.scenarios import Scenario

LONGEST_SECONDS = 1_800
"""For how long orders come in at most, while there is a backlog."""


class Door(Protocol):
    """Where orders are submitted."""

    env: simpy.Environment
    random: Random

    def submit(self) -> simpy.Event:
        """Submit an order; the event is that it has its outcome."""

    def has_backlog(self) -> bool:
        """Whether more waits than before something was different."""


Arrivals = Callable[[Door], Process]
"""What submits orders, and ends."""


def at_random(scenario: Scenario, per_second: float) -> Arrivals:
    """Orders of customers who know nothing of each other (a Poisson process), as a scenario has it."""

    def arrivals(door: Door) -> Process:
        env = door.env
        while env.now < scenario.seconds or (door.has_backlog() and env.now < LONGEST_SECONDS):
            rate = per_second * (scenario.rush if scenario.trouble(env.now) else 1)
            yield env.timeout(door.random.expovariate(rate))
            door.submit()

    return arrivals


def evenly(number: int, per_second: float) -> Arrivals:
    """So many orders, one after the other at the same distance."""

    def arrivals(door: Door) -> Process:
        for _ in range(number):
            door.submit()
            yield door.env.timeout(1 / per_second)

    return arrivals


def under_way(number: int, at_once: int) -> Arrivals:
    """So many orders, each submitted as another one ends, so that always as many are under way."""

    def arrivals(door: Door) -> Process:
        left = iter(range(number))

        def one_after_the_other() -> Process:
            for _ in left:
                yield door.submit()

        yield door.env.all_of([door.env.process(one_after_the_other()) for _ in range(at_once)])

    return arrivals
