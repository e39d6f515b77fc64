"""What the pipeline needs of the quotas of AWS, from the descriptions of its functions and what an order costs.

Nothing here imports CDK.
"""

from __future__ import annotations

from collections import Counter
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

TRANSITIONS_PER_ORDER = 7
ENTRIES_PER_ORDER = 6
"""Events of an order; each is put by a call of its own at worst. The submission comes on top."""
WRITES_PER_ORDER = 60
READS_PER_ORDER = 30
"""Units of the table for an order of three lines, with all its projections: `make bench` measures them."""

TASKS_PER_ORDER = 5
SECONDS_PER_CALL = 0.5
"""Longer than a warm call takes; an assumption that leaves time to the payment gateway and the carrier."""

QUESTIONS_PER_ORDER = 2
"""Calls of functions for the API, the authorizer's included; an assumption."""

EMAILS_PER_ORDER = 2
PEAK_HOURS_PER_DAY = 8
"""As many hours at peak have as many orders as a day; an assumption. The busiest hour has an eighth of them."""

STREAM_SHARDS = 4
"""Of a new on-demand table: it begins with 4,000 write units a second, and a partition takes 1,000.

Source: Amazon DynamoDB Developer Guide, on-demand capacity mode; designing partition keys.
"""

OTHER_DEAD_LETTER_QUEUES = 3
"""Those of the audit copy, and of the starts of the two sagas."""

REBUILD_AT_ONCE = 8
"""Calls of one rebuild at once: `MaxConcurrency` of its state machine."""

COPIES = 2
"""Targets of every event besides the subscribers: the archive and the audit copy."""

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
            case TableChanges():
                calls += STREAM_SHARDS
            case Schedule():
                calls += 1
    return calls


def needs(orders_per_second: float) -> Iterator[Need]:
    """What the pipeline needs for that many orders a second, at its peak.

    Sources of what is counted against each quota: AWS Lambda Developer Guide, concurrency; AWS Step Functions Developer
    Guide, service quotas; Amazon EventBridge User Guide, quotas; Amazon SES Developer Guide, service quotas; Amazon
    DynamoDB Developer Guide, quotas, by which tables on demand are bounded each by itself.
    """

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
    yield Need(STATE_TRANSITIONS, at_peak(TRANSITIONS_PER_ORDER), f"{TRANSITIONS_PER_ORDER} for an order")
    yield Need(EXECUTION_STARTS, at_peak(2), "the order saga, and at worst the cancellation saga")
    yield Need(OPEN_EXECUTIONS, at_peak(24 * _SECONDS_PER_HOUR), "a day in which no saga ends")
    entries = ENTRIES_PER_ORDER + 1
    yield Need(PUT_EVENTS, at_peak(entries), f"{entries} for an order, each by itself at worst")
    targets = _most_subscribers() + COPIES
    yield Need(
        INVOCATIONS, at_peak(entries * targets), f"{entries} events of an order, for up to {targets} targets each"
    )
    yield Need(SEND_RATE, at_peak(EMAILS_PER_ORDER), f"up to {EMAILS_PER_ORDER} for an order")
    day = PEAK_HOURS_PER_DAY * _SECONDS_PER_HOUR
    yield Need(
        SEND_QUOTA, at_peak(EMAILS_PER_ORDER * day), f"a day has the orders of {PEAK_HOURS_PER_DAY} hours at the peak"
    )
    yield Need(TABLE_WRITES, at_peak(WRITES_PER_ORDER), f"{WRITES_PER_ORDER} for an order of three lines")
    yield Need(TABLE_READS, at_peak(READS_PER_ORDER), f"{READS_PER_ORDER} for an order of three lines")
    yield Need(TABLES, OURS, "the table and the vault")


def _most_subscribers() -> int:
    """How many subscribers the event with the most of them has."""
    wanted = (spec.trigger for spec in FUNCTIONS)
    subscribers = Counter(
        event
        for trigger in wanted
        if isinstance(trigger, Subscription) and trigger.bus == "orders"
        for event in trigger.events
    )
    return max(subscribers.values())
