"""A run of the sweep: orders without an outcome for long get the saga that they need, under the order's id as its name.

It heals what nobody would notice: a start that was lost, a rule that failed, an execution that died and handed over to
nobody. Where there is an execution of that name, nothing is started. One that failed, by a bug of ours, waits for a
person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from handlers.operations.doctor.stalled_orders import due, due_since, evidence_of
from handlers.operations.errors import OperationFailed
from handlers.operations.sagas import Saga, Sagas
from handlers.operations.sweep.candidates import Candidates, Place
from handlers.projections import order_items
from handlers.projections.engine.generations import GenerationStore
from handlers.retry_policy import Retryable
from handlers.runtime.observability import about, count, lag, logger
from handlers.table import keys
from handlers.table.codec import decode, encode
from handlers.table.event_store import EventStore

MOST_STARTED = 100
"""How many sagas a run starts at most."""

PAUSED, STARTED = "Paused", "SagasStarted"
"""The metrics that count runs while something is paused, and what runs started."""

WAITING = {Saga.ORDER: "OrderWithoutOutcome", Saga.CANCELLATION: "CancellationWithoutAnswer"}
"""The metric of each saga that says since when the oldest order that a run found has been waiting for it."""

CLOCKS_DIFFER_BY = timedelta(seconds=5)
"""How far the function's clock is from that of Step Functions, at most."""


class Sweep:
    """Starts the sagas of orders that stand still, run by run.

    Args:
        store: the log; the order views, and the place where the next run goes on, are items of the same table.
        sagas: the state machines.
        shops: whose orders it goes through.
        overdue_after: how long an order may have no outcome, or a request to cancel it no answer.
        paused: says whether something of the pipeline is paused.
    """

    def __init__(
        self,
        store: EventStore,
        sagas: Sagas,
        shops: Iterable[str],
        *,
        overdue_after: timedelta,
        paused: Callable[[], bool],
    ) -> None:
        self._store = store
        self._sagas = sagas
        self._shops = tuple(shops)
        self._overdue_after = overdue_after
        self._paused = paused

    def run(self) -> int:
        """Go on where the run before ended, as far as a run goes at most; returns how many sagas were started.

        While something is paused, orders stand still on purpose, and nothing is started. Where AWS is busy, the run
        ends, and the next one goes on with the same order.

        Raises:
            OperationFailed: of some orders, it could not be found out what they need; of the others it was.
            Retryable: try again.
            ClientError: AWS refuses.
        """
        paused = self._paused()
        if paused:
            count(PAUSED)
            logger.info("something is paused: nothing is started")
        now = self._store.clock()
        place = self._place()
        candidates = self._candidates(now, place)
        started, failed, oldest = 0, list[str](), dict[Saga, datetime]()
        for order_id in candidates:
            if started == MOST_STARTED:
                break
            with about(order_id, "sweep"):
                try:
                    overdue = self._overdue(order_id, now)
                    if overdue is None:
                        continue
                    saga, since = overdue
                    oldest[saga] = min(since, oldest.get(saga, since))
                    if not paused:
                        started += self._start(saga, order_id, now)
                except Retryable as busy:
                    logger.warning("AWS is busy: the next run goes on", reason=str(busy))
                    break
                except Exception:
                    logger.exception("order not looked at")
                    failed.append(order_id)
        for saga, since in oldest.items():
            lag(WAITING[saga], since)
        if candidates.place != place:
            self._go_on_at(candidates.place)
        if failed:
            raise OperationFailed(f"{len(failed)} orders could not be looked at: the log says why, of each")
        return started

    def _candidates(self, now: datetime, place: Place) -> Candidates:
        client, table = self._store.client, self._store.table
        return Candidates(
            client,
            table,
            generation=GenerationStore(client, table).read(order_items.PROJECTION).live,
            shops=self._shops,
            before=now - self._overdue_after,
            place=place,
        )

    def _overdue(self, order_id: str, now: datetime) -> tuple[Saga, datetime] | None:
        """The saga that an order has needed by its log for too long, and since when; None where it needs none."""
        evidence = evidence_of(self._store, order_id)
        saga = due(evidence, order_id)
        if saga is None or (since := due_since(evidence, order_id, saga)) > now - self._overdue_after:
            return None
        return saga, since

    def _start(self, saga: Saga, order_id: str, now: datetime) -> bool:
        """Start the saga of an order; returns whether it was started, now and by this."""
        # Where one of this name and input is running, Step Functions answers with that, and when it began.
        began = self._sagas.start(saga, order_id, name=order_id)
        if began is None or began < now - CLOCKS_DIFFER_BY:
            return False
        count(STARTED)
        logger.warning("an order stood still: its saga was started", saga=saga.value)
        return True

    def _place(self) -> Place:
        answer = self._store.client.get_item(TableName=self._store.table, Key=keys.SWEEP.attributes)
        held = decode(answer.get("Item", {}))
        return Place(held.get("partition", ""), held.get("after", ""))

    def _go_on_at(self, place: Place) -> None:
        item = {**keys.SWEEP.attributes, **encode(place._asdict())}
        self._store.client.put_item(TableName=self._store.table, Item=item)
