"""What the pipeline needs of the quotas of AWS, from the descriptions of its functions and what an order costs.

Nothing here imports CDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from handlers.operations.preflight.quotas import (
    CONCURRENT_EXECUTIONS,
    EXECUTION_STARTS,
    INVOCATIONS,
    OPEN_EXECUTIONS,
    PUT_EVENTS,
    SEND_QUOTA,
    SEND_RATE,
    STATE_TRANSITIONS,
    TABLE_READS,
    TABLE_WRITES,
    TABLES,
    Need,
)
from infra.function_spec import DeadLetterQueues, DroppedFiles, Schedule, Subscription, TableChanges
from infra.functions import FUNCTIONS
from infra.planning.limits import invocations, read_units, units
from infra.planning.order import CANCELLED_TRANSITIONS, CONFIRMED_TRANSITIONS, EMAILS, Lane, Order
from infra.planning.stages import STREAM_SHARDS, stages

ENTRIES_PER_ORDER = 6
"""Events of an order; each is put by a call of its own at worst. The submission comes on top."""

CANCELLED = 0.05
"""The share of orders that somebody asks to cancel: an assumption."""

TASKS_PER_ORDER = 5
SECONDS_PER_CALL = 0.5
"""Longer than a warm call takes; an assumption that leaves time to the payment gateway and the carrier."""

QUESTIONS_PER_ORDER = 2
"""Calls of functions for the API, the authorizer's included; an assumption."""

PEAK_HOURS_PER_DAY = 8
"""As many hours at peak have as many orders as a day; an assumption. The busiest hour has an eighth of them."""

OTHER_DEAD_LETTER_QUEUES = 3
"""Those of the audit copy, and of the starts of the two sagas."""

REBUILD_AT_ONCE = 8
"""Calls of one rebuild at once: `MaxConcurrency` of its state machine."""

OURS = 2
"""The table, and the vault."""

_SECONDS_PER_HOUR = 3600


def received_at_once() -> int:
    """How many calls the queues, the table's stream and the clock cause at once, at most."""
    dead_letter_queues = sum(spec.has_dead_letter_queue for spec in FUNCTIONS) + OTHER_DEAD_LETTER_QUEUES
    calls = 0
    for spec in FUNCTIONS:
        match spec.trigger:
            case Subscription(max_concurrency=most) | DroppedFiles(max_concurrency=most):
                calls += most
            case DeadLetterQueues(max_concurrency=most):
                calls += most * dead_letter_queues
            case TableChanges(parallelization_factor=factor):
                calls += STREAM_SHARDS * factor
            case Schedule():
                calls += 1
    return calls


def needs(orders_per_second: float, lane: Lane = "express") -> Iterator[Need]:
    """What the pipeline needs for that many orders a second, at its peak, each of which starts in that lane.

    What an order causes is what the plan calculates with (`infra.planning`), measured of orders of three lines. Sources
    of what is counted against each quota: AWS Lambda Developer Guide, concurrency; AWS Step Functions Developer Guide,
    service quotas; Amazon EventBridge User Guide, quotas; Amazon SES Developer Guide, service quotas; Amazon DynamoDB
    Developer Guide, quotas, by which tables on demand are bounded each by itself.
    """
    order = Order(lane=lane)
    ways = stages(order.lines)

    def at_peak(per_order: float) -> int:
        return ceil(orders_per_second * per_order)

    received = received_at_once()
    steps = at_peak(TASKS_PER_ORDER * SECONDS_PER_CALL)
    questions = at_peak(QUESTIONS_PER_ORDER * SECONDS_PER_CALL)
    yield Need(
        CONCURRENT_EXECUTIONS,
        received + steps + questions + REBUILD_AT_ONCE,
        f"queues, stream and clock {received}, sagas {steps}, API {questions}, a rebuild {REBUILD_AT_ONCE}",
    )
    taken = "each order takes the saga" if order.in_saga == 1 else f"{order.in_saga:.0%} of orders are handed over"
    yield Need(
        STATE_TRANSITIONS,
        at_peak(order.transitions),
        f"{taken}; {CONFIRMED_TRANSITIONS} where one is confirmed, and {CANCELLED_TRANSITIONS} at most where not",
    )
    yield Need(EXECUTION_STARTS, at_peak(order.in_saga + CANCELLED), f"{taken}, and {CANCELLED:.0%} are cancelled")
    yield Need(
        OPEN_EXECUTIONS, at_peak(24 * _SECONDS_PER_HOUR), "a day in which each order needs a saga, and none ends"
    )
    entries = ENTRIES_PER_ORDER + 1
    yield Need(PUT_EVENTS, at_peak(entries), f"{entries} for an order, each by itself at worst")
    targets = invocations(order.lines, ways)
    yield Need(INVOCATIONS, at_peak(targets), f"{targets:.0f} targets of rules for an order")
    yield Need(SEND_RATE, at_peak(EMAILS), f"up to {EMAILS} for an order")
    day = PEAK_HOURS_PER_DAY * _SECONDS_PER_HOUR
    yield Need(SEND_QUOTA, at_peak(EMAILS * day), f"a day has the orders of {PEAK_HOURS_PER_DAY} hours at the peak")
    written, read = units(ways, vault=False), read_units(ways)
    yield Need(TABLE_WRITES, ceil(written(orders_per_second)), "measured, for orders of three lines")
    yield Need(TABLE_READS, ceil(read(orders_per_second)), "measured, for orders of three lines")
    yield Need(TABLES, OURS, "the table and the vault")
