"""The state machines that take an order to its outcome, as steps with their retries, from their definitions. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from infra.constructs.express_saga import START_EXECUTION, express_lane
from infra.functions import FUNCTIONS
from infra.planning.order import Lane

_SAGA = Path(__file__).parents[3] / "statemachines" / "order_saga.asl.json"
_ANY = "States.ALL"
_BACKOFF = 2.0
"""Where a definition names none. Source: Amazon States Language."""


@dataclass(frozen=True)
class Retry:
    """What is tried again, how often, and after how many seconds; with ``jitter``, after up to as many."""

    errors: frozenset[str]
    most: int
    interval: float
    backoff: float
    longest: float
    jitter: bool

    def wait(self, attempt: int, random: Random) -> float:
        """How long to wait before an attempt; the first one that is made again is 0."""
        seconds = min(self.longest, self.interval * self.backoff**attempt)
        return random.uniform(0, seconds) if self.jitter else seconds


@dataclass(frozen=True)
class Step:
    """A task. ``function`` is its key in `infra.functions`, or None where it starts the saga instead.

    ``catches`` are the errors that lead to other states.
    """

    name: str
    function: str | None
    retries: Sequence[Retry]
    catches: Sequence[tuple[frozenset[str], str]]
    next: str | None

    def retry(self, error: str) -> Retry | None:
        """How an error is retried, if it is."""
        return next((each for each in self.retries if each.errors & {error, _ANY}), None)

    def caught(self, error: str) -> str | None:
        """The step that an error leads to, if any."""
        return next((target for errors, target in self.catches if errors & {error, _ANY}), None)


@dataclass(frozen=True)
class Workflow:
    """A state machine: the steps by name, and the first one."""

    start: str
    steps: Mapping[str, Step]

    def after(self, name: str | None) -> Step | None:
        """The step of that name; None where it ends instead."""
        return self.steps.get(name) if name else None


@cache
def workflow(lane: Lane) -> Workflow:
    """The state machine of a lane."""
    definition = json.loads(_SAGA.read_text(encoding="utf-8"))
    if lane == "express":
        definition = express_lane(definition)
    tasks = {name: state for name, state in definition["States"].items() if state["Type"] == "Task"}
    return Workflow(definition["StartAt"], {name: _step(name, state) for name, state in tasks.items()})


def _step(name: str, state: Mapping[str, Any]) -> Step:
    functions = {f"${{{spec.placeholder}}}": spec.key for spec in FUNCTIONS}
    resource = state["Resource"]
    return Step(
        name,
        None if resource == START_EXECUTION else functions[resource],
        [_retry(retrier) for retrier in state.get("Retry", [])],
        [(frozenset(catcher["ErrorEquals"]), catcher["Next"]) for catcher in state.get("Catch", [])],
        state.get("Next"),
    )


def _retry(retrier: Mapping[str, Any]) -> Retry:
    return Retry(
        frozenset(retrier["ErrorEquals"]),
        retrier["MaxAttempts"],
        retrier.get("IntervalSeconds", 1),
        retrier.get("BackoffRate", _BACKOFF),
        retrier.get("MaxDelaySeconds", inf),
        retrier.get("JitterStrategy") == "FULL",
    )
