"""The simulation itself: orders go from their submission to their outcome, through queues, streams and tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from math import inf
from random import Random
from typing import Any

import simpy

from events.integration import OrderSubmitted
from events.inventory import StockReleased, StockReserved
from events.model import Model
from events.ordering import OrderCancellationStarted, OrderCancelled, OrderConfirmed, OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentVoided
from events.shipping import ShipmentArranged, ShipmentCancelled
from handlers.retry_policy import PATIENCE_SECONDS, Throttled
from infra.function_spec import Subscription
from infra.functions import FUNCTIONS
from infra.planning.limits import VAULT
from infra.planning.measured import Cost
from infra.planning.order import COPIES, EMAILS, Order, events
from infra.planning.simulation.arrivals import Arrivals
from infra.planning.simulation.bucket import Bucket
from infra.planning.simulation.calls import Process, calls, varied
from infra.planning.simulation.feeds import Feed, Queue, Stream
from infra.planning.simulation.machine import BURST_SECONDS, STARTS_BURST, Machine
from infra.planning.simulation.result import Result, Sample, calm
from infra.planning.simulation.scenarios import Scenario
from infra.planning.simulation.workflow import Retry, Step, workflow
from infra.planning.stages import Stage

GIVE_UP_SECONDS = 4 * 3600.0
"""After which time orders that have no outcome are left open."""

_APPENDED: Mapping[str, type[Model]] = {
    "ReserveStock": StockReserved,
    "AuthorizePayment": PaymentAuthorized,
    "ArrangeShipment": ShipmentArranged,
    "CapturePayment": PaymentCaptured,
    "ConfirmOrder": OrderConfirmed,
    "StartCancellation": OrderCancellationStarted,
    "CancelShipment": ShipmentCancelled,
    "RefundPayment": PaymentVoided,
    "ReleaseStock": StockReleased,
    "CancelOrder": OrderCancelled,
}
"""What each step of the saga appends."""

_GATEWAY, _UNREACHABLE = "payments_service", "PaymentGatewayUnreachable"
_BUSY = "Lambda.TooManyRequestsException"
_AGAIN_SECONDS = 0.1
"""After which a poller calls again, where the account has no place for its call."""
_INTAKE, _OUTBOX, _STOCK, _EMAILS = "order_intake", "outbox", "stock_watch", "order_emails"

Progress = Callable[[float], None]
"""Is told the second up to which has been simulated."""


class _Places:
    """How many calls may run at the same time; whoever comes when all places are taken is refused."""

    def __init__(self, number: int) -> None:
        self._free = number

    @property
    def full(self) -> bool:
        return self._free <= 0

    def __enter__(self) -> None:
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


class _Order:
    """An order: when it was submitted, the steps that are done, and that it has its outcome."""

    __slots__ = ("done", "ended", "hot", "submitted")

    def __init__(self, submitted: float, ended: simpy.Event, *, hot: bool) -> None:
        self.submitted = submitted
        self.ended = ended
        self.hot = hot
        self.done: set[str] = set()


_Record = tuple[_Order, type[Model]]
"""An event of an order, or the message of it."""


def simulate(
    order: Order,
    machine: Machine,
    scenario: Scenario,
    arrivals: Arrivals,
    *,
    per_second: float = 0.0,
    seed: int = 1,
    progress: Progress | None = None,
) -> Result:
    """Simulate orders as they come in on a machine; the same seed has the same result.

    ``per_second`` is the steady rate, by which a gateway is throttled.
    """
    return _Simulation(order, machine, scenario, per_second, seed).run(arrivals, progress or (lambda _: None))


class _Simulation:
    def __init__(self, order: Order, machine: Machine, scenario: Scenario, per_second: float, seed: int) -> None:
        self.env = simpy.Environment()
        self.random = Random(seed)  # noqa: S311 - nothing secret
        self._order = order
        self._machine = machine
        self._scenario = scenario
        self._stages = {stage.function: stage for stage in machine.stages}
        self._calls = calls(self.env, machine, self.random)
        self._places = _Places(machine.at_once)
        self._tasks = {
            name: _Places(stage.at_once or machine.at_once)
            for name, stage in self._stages.items()
            if stage.source == "task"
        }
        self._feeds: dict[str, Feed[_Record]] = {name: self._feed(stage) for name, stage in self._fed()}
        self._subscribers = _subscribers(self._feeds)
        self._buckets = {name: _bucket(name, allowed) for name, allowed in machine.allowed.items()}
        self._gateway = self._throttled_gateway(per_second)
        self._writes = {stage.function: _in_table(stage) for stage in machine.stages}
        self._levels = events(order.lines)[StockReserved]
        self._submitted = self._cancelled = self._handed_over = 0
        self._ended: list[tuple[float, float]] = []
        self._samples: list[Sample] = []
        self._calm: int | None = None

    def run(self, arrivals: Arrivals, progress: Progress) -> Result:
        coming = self.env.process(arrivals(self))
        self.env.process(self._sample(coming, progress))
        if self._scenario.stopped:
            self.env.process(self._stop(self._feeds[self._scenario.stopped]))
        self.env.run(until=GIVE_UP_SECONDS)
        return Result(
            self._scenario,
            self._submitted,
            self._cancelled,
            self._handed_over,
            sorted(seconds for _, seconds in self._ended),
            self._samples,
            max((at for at, _ in self._ended), default=0.0),
        )

    # Where orders are submitted

    def submit(self) -> simpy.Event:
        self._submitted += 1
        hot = self.random.random() < self._order.share_of_hottest
        order = _Order(self.env.now, self.env.event(), hot=hot)
        self.env.process(self._delivered([(self._feeds[_INTAKE], (order, OrderSubmitted))], 1))
        return order.ended

    def has_backlog(self) -> bool:
        if self._calm is None and self.env.now >= self._scenario.since:
            self._calm = calm([(each.at, each.orders) for each in self._samples], self._scenario)
        return self._calm is not None and self._open > self._calm

    @property
    def _open(self) -> int:
        return self._submitted - len(self._ended)

    # What is different for a while

    def _throttled_gateway(self, per_second: float) -> Bucket | None:
        if self._scenario.gateway is None:
            return None
        steps = sum(step.function == _GATEWAY for step in workflow("express").steps.values())
        taken = per_second * steps * self._scenario.gateway
        return Bucket(taken, taken)

    def _stop(self, feed: Feed[_Record]) -> Process:
        yield self.env.timeout(self._scenario.since)
        feed.stop()
        yield self.env.timeout(self._scenario.until - self._scenario.since)
        feed.resume()

    def _sample(self, coming: simpy.Process, progress: Progress) -> Process:
        while coming.is_alive or self._open or any(feed.waiting for feed in self._feeds.values()):
            waiting = {name: feed.waiting for name, feed in self._feeds.items()}
            self._samples.append(Sample(self.env.now, self._open, waiting))
            progress(self.env.now)
            yield self.env.timeout(1)
        self._samples.append(
            Sample(self.env.now, self._open, {name: feed.waiting for name, feed in self._feeds.items()})
        )

    # Functions that a queue or a stream feeds

    def _fed(self) -> Iterator[tuple[str, Stage]]:
        return ((name, stage) for name, stage in self._stages.items() if stage.source != "task")

    def _feed(self, stage: Stage) -> Feed[_Record]:
        done = {_INTAKE: self._placed, _OUTBOX: self._published}.get(stage.function, _ignored)
        call = partial(self._batch, done)
        if stage.source == "queue":
            return Queue(self.env, stage, call)
        return Stream(self.env, stage, call, self._machine.polled_seconds, self.random)

    def _batch(self, done: Callable[[list[_Record]], None], stage: Stage, batch: list[_Record]) -> Process:
        while self._places.full:
            yield self.env.timeout(_AGAIN_SECONDS)
        with self._places:
            yield from self._waits(self._written(stage, len(batch)))
            if stage.function == _EMAILS:
                yield from self._waits(self._taken("emails", EMAILS * len(batch)))
            if stage.publishes:
                yield from self._waits(self._taken("put_events", round(stage.aws_calls.of(len(batch))) or 1))
            yield from self._calls.call(stage, len(batch), outside=True)
        done(batch)

    def _placed(self, batch: list[_Record]) -> None:
        for order, _ in batch:
            self._appended(order, OrderPlaced)

    def _published(self, batch: list[_Record]) -> None:
        """What is on the bus goes to the archive and the audit copy, to subscribers, and starts executions."""
        to = [(self._feeds[name], record) for record in batch for name in self._subscribers.get(record[1], ())]
        self.env.process(self._delivered(to, len(to) + COPIES * len(batch)))
        for order, event in batch:
            if event is OrderPlaced:
                self.env.process(self._started(order))

    def _delivered(self, to: list[tuple[Feed[_Record], _Record]], targets: int) -> Process:
        yield from self._waits(self._taken("target_invocations", targets))
        yield from self._calls.deliver(len(to))
        for feed, record in to:
            feed.put(record)

    # The saga

    def _started(self, order: _Order) -> Process:
        yield from self._calls.deliver(1)
        yield from self._execution(order, self._order.lane)

    def _execution(self, order: _Order, lane: str) -> Process:
        machine = workflow("express" if lane == "express" else "standard")
        yield from self._waits(self._taken(f"{lane}_starts", 1))
        yield from self._waits(self._machine.start_seconds)
        step: Step | None = machine.steps[machine.start]
        retried: Counter[Retry] = Counter()
        while step:
            if step.function is None:
                self._handed_over += 1
                self.env.process(self._execution(order, "standard"))
                return
            error = yield from self._task(order, step, step.function)
            retry = step.retry(error) if error else None
            if error is None:
                self._did(order, step)
                step = machine.after(step.next)
                retried.clear()
            elif retry and retried[retry] < retry.most:
                yield self.env.timeout(retry.wait(retried[retry], self.random) * self._machine.waits)
                retried[retry] += 1
            else:
                step = machine.after(step.caught(error))
                retried.clear()

    def _task(self, order: _Order, step: Step, function: str) -> Generator[simpy.Event, Any, str | None]:
        """Call the function of a step; returns the error, if any."""
        stage, own = self._stages[function], self._tasks[function]
        yield self.env.timeout(varied(self._machine.task_seconds, self.random))
        if own.full or self._places.full:
            return _BUSY
        with self._places, own:
            done = step.name in order.done
            if function == _GATEWAY and not done and self._refused_by_gateway():
                yield from self._calls.call(stage, 1, outside=False)
                return _UNREACHABLE
            if not done:
                for wait in (self._written(stage, 1), self._contended(order, step)):
                    if wait is None:
                        yield self.env.timeout(PATIENCE_SECONDS)
                        return Throttled.__name__
                    yield from self._waits(wait)
            yield from self._calls.call(stage, 1, outside=not done)
        return None

    def _did(self, order: _Order, step: Step) -> None:
        """A step is done: it appends its event, unless it was done before."""
        if step.name in order.done:
            return
        order.done.add(step.name)
        event = _APPENDED[step.name]
        for _ in range(self._levels if event in (StockReserved, StockReleased) else 1):
            self._appended(order, event)
        if event in (StockReserved, StockReleased):
            for _ in range(round(self._stages[_STOCK].records)):
                self._feeds[_STOCK].put((order, event))
        if event in (OrderConfirmed, OrderCancelled):
            self._cancelled += event is OrderCancelled
            self._ended.append((self.env.now, self.env.now - order.submitted))
            order.ended.succeed()

    def _appended(self, order: _Order, event: type[Model]) -> None:
        self._feeds[_OUTBOX].put((order, event))

    # Limits

    def _taken(self, quota: str, units: float, patience: float = inf) -> float | None:
        """How long to wait for so much of a quota; None, where that is too long."""
        bucket = self._buckets.get(quota)
        return bucket.wait(self.env.now, units, patience) if bucket else 0.0

    def _written(self, stage: Stage, records: int) -> float | None:
        """How long to wait until the table takes what a call writes; a task waits for so long only."""
        units = self._writes[stage.function].of(records)
        patience = PATIENCE_SECONDS if stage.source == "task" else inf
        waits = [self._taken(quota, units, patience) for quota in ("new_table_writes", "table_writes")]
        return None if None in waits else max(wait for wait in waits if wait is not None)

    def _contended(self, order: _Order, step: Step) -> float | None:
        if not (order.hot and step.name in ("ReserveStock", "ReleaseStock")):
            return 0.0
        return self._taken("contended_item", 1, PATIENCE_SECONDS)

    def _refused_by_gateway(self) -> bool:
        now = self.env.now
        return bool(self._gateway and self._scenario.trouble(now) and self._gateway.wait(now, 1, 0.0) is None)

    def _waits(self, seconds: float | None) -> Process:
        if seconds:
            yield self.env.timeout(seconds)


def _in_table(stage: Stage) -> Cost:
    """What a stage writes into the table, in all."""
    costs = [cost for kind, cost in stage.write_units.items() if kind != VAULT]
    return Cost(sum(cost.per_call for cost in costs), sum(cost.per_record for cost in costs))


def _ignored(_: list[_Record]) -> None:
    """Nothing follows from it."""


def _subscribers(feeds: Mapping[str, object]) -> dict[type[Model], list[str]]:
    """Which functions get each event of the orders bus."""
    found: dict[type[Model], list[str]] = {}
    for spec in FUNCTIONS:
        match spec.trigger:
            case Subscription(bus="orders", events=wanted) if spec.key in feeds:
                for event in wanted:
                    found.setdefault(event, []).append(spec.key)
    return found


def _bucket(quota: str, allowed: float) -> Bucket:
    if quota == "new_table_writes":
        return Bucket(allowed, allowed * BURST_SECONDS)
    return Bucket(allowed, max(allowed, STARTS_BURST.get(quota, 0.0)))
