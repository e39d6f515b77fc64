"""The way of an order through the pipeline, stage by stage, as data: for the plan, and for whoever simulates it. Pure.

A stage is a function and what feeds it. What feeds it, and how, is read from the descriptions of the functions and from
the saga's definition; what a call takes is measured (`measured.json`). All goes well with an order here, from its
submission to the confirmation and its e-mails. What comes later, and what readers ask, is not in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from events.integration import OrderSubmitted
from events.publishing.entries import MAX_ENTRIES
from handlers.table import keys
from infra.constructs.express_saga import express_lane
from infra.function_spec import FunctionSpec, PublishEvents, Subscription, TableChanges, Tasks
from infra.functions import FUNCTIONS
from infra.planning.measured import Cost, Measured, measured
from infra.planning.order import EMAILS, events
from infra.planning.pricing import FULL_PROCESSOR, SECONDS_OF_A_CALL

Source = Literal["queue", "stream", "task"]

STREAM_SHARDS = 4
"""Of a new on-demand table: it begins with 4,000 write units a second, and a partition takes 1,000.

Source: Amazon DynamoDB Developer Guide, on-demand capacity mode; designing partition keys.
"""

POLLERS = 5
"""How many gather messages of a queue, each a batch of its own, until that is too slow.

Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings".
"""

OUTSIDE_SECONDS: Mapping[str, float] = {
    "payments_service": 0.3,
    "shipping_service": 0.3,
    "order_emails": EMAILS * 0.28,
}
"""For how long a function waits with each record for others than DynamoDB, SQS and EventBridge: the payment gateway,
the carrier and SES. Assumptions: here the first two are sandboxes. Four that send at a time come to 14 e-mails a
second.
"""

_PUTS = Cost(1 - 1 / MAX_ENTRIES, 1 / MAX_ENTRIES)
"""Of PutEvents, which takes so many events: not measured, since batches here were smaller than that."""

_SAGA = Path(__file__).parents[2] / "statemachines" / "order_saga.asl.json"


@dataclass(frozen=True)
class Stage:
    """A function, what feeds it, and what that takes.

    Attributes:
        function: its key in `infra.functions`.
        source: what feeds it: a queue behind a rule, the table's stream, or a task of the saga.
        records: how many messages, changes or tasks an order comes to.
        batch_size, window_seconds: a call has at most so many records, gathered for at most so long.
        gatherers: in how many places they are gathered at the same time: pollers of a queue, lanes of a stream.
        at_once: how many calls run at the same time at most; None: as many as the account may have.
        publishes: whether it puts events on the orders bus.
        memory: in MB.
        processor_ms: of a whole processor of the machine that measured, of which a function has a part on AWS.
        aws_calls: calls of DynamoDB, SQS and EventBridge.
        outside_seconds: the wait for other services with each record.
        read_units: of DynamoDB.
        write_units: of DynamoDB, by kind of key: one item for each SKU is ``level``, for each order ``order``, …;
            ``vault`` are those of the vault.
    """

    function: str
    source: Source
    records: float
    batch_size: int
    window_seconds: float
    gatherers: int
    at_once: int | None
    publishes: bool
    memory: int
    processor_ms: Cost
    aws_calls: Cost
    outside_seconds: float
    read_units: Cost
    write_units: Mapping[str, Cost]

    @property
    def seconds(self) -> Cost:
        """How long a call takes on AWS."""
        slower = max(1.0, FULL_PROCESSOR / self.memory) / 1000

        def of(processor_ms: float, aws_calls: float) -> float:
            return processor_ms * slower + aws_calls * SECONDS_OF_A_CALL

        return Cost(
            of(self.processor_ms.per_call, self.aws_calls.per_call),
            of(self.processor_ms.per_record, self.aws_calls.per_record) + self.outside_seconds,
        )

    def batch(self, orders_per_second: float) -> float:
        """How many records a call has on average.

        As many as come within the window; more, where all calls that may run at the same time are busy.
        """
        arriving = orders_per_second * self.records
        gathered = arriving * self.window_seconds / self.gatherers
        if self.at_once is not None:
            spare = self.at_once - arriving * self.seconds.per_record
            waiting = arriving * self.seconds.per_call / spare if spare > 0 else self.batch_size
            gathered = max(gathered, waiting)
        return min(max(1.0, gathered), self.batch_size)

    def calls(self, orders_per_second: float) -> float:
        """How many calls there are in a second."""
        return orders_per_second * self.records / self.batch(orders_per_second)

    def busy(self, orders_per_second: float) -> float:
        """How many calls run at the same time on average."""
        return self.calls(orders_per_second) * self.seconds.of(self.batch(orders_per_second))

    def needed_at_once(self, orders_per_second: float) -> float:
        """How many calls have to run at the same time at least: with batches as large as they may be."""
        return orders_per_second * self.records * self.seconds.of(self.batch_size) / self.batch_size

    def in_flight(self, orders_per_second: float) -> float:
        """How many messages are received and not yet done with, of a queue: gathered, or in a call."""
        if self.source != "queue":
            return 0.0
        arriving = orders_per_second * self.records
        gathered = min(arriving * self.window_seconds, self.gatherers * self.batch_size)
        return gathered + arriving * self.seconds.of(self.batch_size)

    def spent(self, cost: Cost, orders_per_second: float) -> float:
        """What its calls of a second take together."""
        return self.calls(orders_per_second) * cost.of(self.batch(orders_per_second))


def stages(lines: int = 3, *, shards: int = STREAM_SHARDS, values: Measured | None = None) -> tuple[Stage, ...]:
    """The stages of an order of so many lines, each of another SKU.

    ``shards`` are those of the table's stream; ``values`` what was measured, by default what is in the file.
    """
    values = values or measured()
    made = (_stage(spec, lines, shards, values) for spec in FUNCTIONS)
    return tuple(stage for stage in made if stage.records)


def _stage(spec: FunctionSpec, lines: int, shards: int, values: Measured) -> Stage:
    batch_size, window, gatherers, at_once = 1, 0, 1, None
    source: Source = "task"
    match spec.trigger:
        case Subscription(batch_size=batch_size, batching_window=window, max_concurrency=most):
            source, at_once, gatherers = "queue", most, min(POLLERS, most)
        case TableChanges(batch_size=batch_size, batching_window=window, parallelization_factor=factor):
            source, at_once, gatherers = "stream", shards * factor, shards * factor

    publishes = PublishEvents() in spec.grants

    def cost(quantity: str) -> Cost:
        return values.cost(spec.key, quantity, lines)

    return Stage(
        function=spec.key,
        source=source,
        records=_records(spec, lines),
        batch_size=batch_size,
        window_seconds=window,
        gatherers=gatherers,
        at_once=at_once,
        publishes=publishes,
        memory=spec.memory,
        processor_ms=cost("processor_ms"),
        aws_calls=_PUTS if publishes else cost("aws_calls"),
        outside_seconds=OUTSIDE_SECONDS.get(spec.key, 0.0),
        read_units=cost("read_units"),
        write_units={kind: cost(f"writes.{kind}") for kind in values.kinds(spec.key)},
    )


def _records(spec: FunctionSpec, lines: int) -> float:
    """How many messages, changes or tasks of an order reach a function."""
    match spec.trigger:
        case Subscription(bus="intake", events=wanted, all_but=all_but):
            return float((OrderSubmitted in wanted) is not all_but)
        case Subscription(events=wanted):
            return float(sum(count for event, count in events(lines).items() if event in wanted))
        case TableChanges(sk_prefix=keys.EVENT):
            return float(sum(events(lines).values()))
        case TableChanges(pk_prefixes=prefixes):
            return lines * prefixes.count(keys.LEVEL)
        case Tasks():
            return _tasks()[spec.placeholder]
    return 0


def _tasks() -> Counter[str]:
    """How often the express lane calls each function, by its placeholder. The saga's way forward is the same."""
    return Counter(_resources())


def _resources() -> Iterator[str]:
    lane = express_lane(json.loads(_SAGA.read_text(encoding="utf-8")))
    for state in lane["States"].values():
        yield state.get("Resource", "").strip("${}")
