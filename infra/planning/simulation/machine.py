"""What orders run on, AWS or one machine: the stages as they are fed and limited there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from infra.functions import FUNCTIONS
from infra.planning.limits import VAULT, limits
from infra.planning.order import Order
from infra.planning.quotas import known
from infra.planning.stages import Stage, stages

SPARE = 1.2
"""By how much more is allowed than the rate needs that a pipeline is prepared for: exactly as much makes queues that
never end."""

BURST_SECONDS = 300
"""For how long DynamoDB keeps what a partition was allowed and did not use.

Source: Amazon DynamoDB Developer Guide, "Burst and adaptive capacity".
"""

POLLED_SECONDS = 0.25
"""How often Lambda reads a shard. Source: AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB"."""

BUS_SECONDS, TASK_SECONDS = 0.08, 0.02
"""From PutEvents to a function, with the queue between them, and from one task to the next: assumptions. AWS's
architecture blog has 80 ms at the 90th percentile, for the bus of Amazon Key."""

STARTS_BURST: Mapping[str, float] = {"express_starts": 6_000, "standard_starts": 1_300}
"""How many executions may start at once. Source: Step Functions Developer Guide, "Service quotas"."""

LOCAL_PROCESSORS = 2
LOCAL_LEAST_POLLED_SECONDS = 0.02
"""How often the emulator reads a stream at most, however short its waits are."""
LOCAL_START_SECONDS = 0.15
"""For how long the emulator rests before the first state of an execution."""


@dataclass(frozen=True)
class Emulated:
    """What one machine adds: what the emulator's processor does, since all functions share two processors with it.

    Attributes:
        request_ms: of the emulator's processor for each request that it answers, and each message that it passes on.
        hop_ms: what passes from one service to the next besides, for the most part in waking up.
        processors: how many all have together.
    """

    request_ms: float
    hop_ms: float
    processors: int = LOCAL_PROCESSORS


@dataclass(frozen=True)
class Machine:
    """What orders run on.

    Attributes:
        stages: as they are fed and limited there.
        allowed: what services allow a second, by the name of the quota.
        at_once: how many calls may run at the same time in all.
        polled_seconds: how often a stream is read.
        bus_seconds, task_seconds: from PutEvents to a function, and from one task to the next.
        start_seconds: before the first task of an execution.
        waits: how much of their time the waits before retries take.
        emulated: where it is one machine.
    """

    stages: Sequence[Stage]
    allowed: Mapping[str, float]
    at_once: int
    polled_seconds: float
    bus_seconds: float
    task_seconds: float
    start_seconds: float = 0.0
    waits: float = 1.0
    emulated: Emulated | None = None


def on_aws(order: Order, prepared_for: float) -> Machine:
    """AWS, with all settings and quotas changed as the plan for so many orders a second says, and a fifth more.

    What no change helps stays as it is.
    """
    rate = prepared_for * SPARE
    ways = stages(order.lines)
    allowed: dict[str, float] = {}
    for limit in limits(order, ways):
        if limit.quota and limit.remedy != "design" and VAULT not in limit.name:
            allowed[limit.quota] = max(limit.there_is, limit.demand(rate))
    allowed["contended_item"] = known().quotas["contended_item"].value
    return Machine(
        [_prepared(stage, rate) for stage in ways],
        allowed,
        ceil(allowed["concurrent_executions"]),
        POLLED_SECONDS,
        BUS_SECONDS,
        TASK_SECONDS,
    )


def on_one_machine(lines: int, emulated: Emulated, *, waits: float = 1.0) -> Machine:
    """One machine with the emulator, whose windows, polls and waits before retries take ``waits`` of their time."""
    at_once = {spec.key: spec.local_concurrency for spec in FUNCTIONS}
    hop_seconds = emulated.hop_ms / 1000
    ways = [
        replace(
            stage,
            gatherers=1,
            at_once=1 if stage.source == "stream" else at_once[stage.function],
            window_seconds=stage.window_seconds * waits,
        )
        for stage in stages(lines)
    ]
    return Machine(
        ways,
        {},
        sum(at_once.values()),
        max(POLLED_SECONDS * waits, LOCAL_LEAST_POLLED_SECONDS),
        hop_seconds,
        hop_seconds,
        LOCAL_START_SECONDS,
        waits,
        emulated,
    )


def _prepared(stage: Stage, rate: float) -> Stage:
    if stage.at_once is None:
        return stage
    at_once = max(stage.at_once, ceil(stage.needed_at_once(rate)))
    return replace(stage, at_once=at_once, gatherers=at_once if stage.source == "stream" else stage.gatherers)
