"""Erasing: in which order things are recorded and deleted, so that it may be killed anywhere, and be started again.

The ledger comes first, then the events, then dead-letter messages and payment tokens. The persons in the vault come
last: a customer's orders are found by them, so what was not done is found again. Doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from events import streams
from events.ordering import OrderPlaced
from handlers.dead_letters.bucket import DeadLetterBucket
from handlers.intake.parties import Parties
from handlers.operations.erasure.again import forget, record
from handlers.operations.erasure.decision import entries, named, under_way
from handlers.operations.erasure.ledger import Ledger
from handlers.operations.erasure.matching import Whose, may_be_personal, whose
from handlers.operations.erasure.progress import Batch, Order, Progress
from handlers.ordering.order import Status
from handlers.retry_policy import classified
from handlers.runtime.observability import about, count, logger
from handlers.table.event_store import EventStore
from handlers.vault.forgetting import Forgetting

BATCH = 100
"""How many orders are erased together, for which all dead-letter messages are looked at once."""

_SPARE_SECONDS = 60.0

Remaining = Callable[[], float]
"""How many seconds a call has left."""


class Erasure:
    """Erases what is personal about customers and orders.

    Args:
        store: the log.
        forgetting: finds and deletes what is in the vault.
        dead_letters: the dead-letter messages.
        ledger: the ledger of erasures.
        parties: who is let in, which says whose dead-letter messages are.
    """

    def __init__(
        self,
        store: EventStore,
        forgetting: Forgetting,
        dead_letters: DeadLetterBucket,
        ledger: Ledger,
        parties: Parties,
    ) -> None:
        self._store = store
        self._forgetting = forgetting
        self._dead_letters = dead_letters
        self._ledger = ledger
        self._parties = parties

    def run(self, progress: Progress, execution: str, remaining: Remaining) -> Progress:
        """Get further as long as there is time, and until there are only orders under way; returns how far it is.

        Args:
            progress: how far it was.
            execution: the name of the execution, which causes what is appended.
            remaining: how many seconds there are.

        Raises:
            Retryable: try again.
        """
        progress = progress.model_copy(update={"waits": False}, deep=True)
        step = self._apply_ledger if progress.from_ledger else self._erase_batch
        while not (progress.done or progress.waits):
            step(progress, execution, remaining)
            if remaining() < _SPARE_SECONDS:
                break
        return progress

    def _erase_batch(self, progress: Progress, execution: str, remaining: Remaining) -> None:
        """Erase the next batch of orders; or a part of it, where there is no time for all dead-letter messages."""
        batch = progress.batch = progress.batch or self._next_batch(progress)
        if batch:
            if not progress.dry_run:
                recorded = entries(progress, batch, self._store.clock())
                for entry in recorded:
                    self._ledger.write(entry)
                record(self._store, recorded, execution)
            if not self._sweep(progress, batch, remaining):
                return
            for order in batch.orders:
                self._forget(progress, order)
            progress.batch, progress.done = None, batch.ends
        if progress.listed and not progress.done:
            progress.wait()

    def _next_batch(self, progress: Progress) -> Batch | None:
        """The next orders that have ended; None where none has, of those that are waited for."""
        again = progress.listed
        candidates = progress.under_way if again else [*progress.under_way, *self._next_orders(progress)]
        looked_at = [order.model_copy(update={"under_way": self._under_way(order.order_id)}) for order in candidates]
        ended = [order for order in looked_at if order.under_way is None]
        progress.under_way = [order for order in looked_at if order.under_way is not None]
        ends = progress.listed and not progress.under_way
        # A customer may have dead-letter messages besides orders.
        is_worth_it = ended or ends or (progress.customer_id and not again)
        return Batch(orders=ended, ends=ends) if is_worth_it else None

    def _next_orders(self, progress: Progress) -> list[Order]:
        """The order that was asked for, if it was ever placed; or those of the customer that the vault has next."""
        if progress.customer_id is None:
            progress.listed = True
            history = self._store.read(streams.order(progress.order_id or ""))
            placed = [record.event for record in history if isinstance(record.event, OrderPlaced)]
            return [Order(order_id=each.order_id, customer_id=each.customer_id) for each in placed]
        found = self._forgetting.orders_of(progress.customer_id, after=progress.after, limit=BATCH)
        progress.after, progress.listed = found[-1] if found else progress.after, len(found) < BATCH
        return [Order(order_id=each, customer_id=progress.customer_id) for each in found]

    def _under_way(self, order_id: str) -> Status | None:
        return under_way(self._store.read(streams.order(order_id)), self._store.read(streams.cancellation(order_id)))

    def _sweep(self, progress: Progress, batch: Batch, remaining: Remaining) -> bool:
        """Delete the dead-letter messages of a batch; returns whether there was time to look at all of them."""
        order_ids = named(progress, batch)
        with classified():
            for number, page in enumerate(self._dead_letters.versions(batch.swept)):
                if number and remaining() < _SPARE_SECONDS:
                    return False
                personal = [version for version in page if may_be_personal(version.key)]
                for version, content in self._dead_letters.contents(personal):
                    match whose(content, order_ids, progress.customer_id, self._parties):
                        case Whose.UNKNOWN:
                            batch.unattributed += 1
                        case Whose.THEIRS:
                            progress.found.dead_letters += 1
                            if not progress.dry_run:
                                self._dead_letters.delete_version(version)
                batch.swept = page[-1] if page else batch.swept
        progress.found.unattributed = batch.unattributed
        return True

    def _apply_ledger(self, progress: Progress, execution: str, remaining: Remaining) -> None:
        """Erase what is in the next entries of the ledger again: a restored table has it back."""
        page = list(self._ledger.read(progress.after))
        if not progress.dry_run:
            record(self._store, (entry for _, entry in page), execution)
        for key, entry in page:
            if entry.erased.order_id:
                order = Order(order_id=entry.erased.order_id, customer_id=entry.erased.customer_id)
                self._forget(progress, order)
            progress.after = key
            if remaining() < _SPARE_SECONDS:
                return
        progress.done = not page

    def _forget(self, progress: Progress, order: Order) -> None:
        """Delete what the vault has of an order."""
        with about(order.order_id, "erase"):
            found = forget(self._forgetting, order, dry_run=progress.dry_run)
            if found.orders and not progress.dry_run:
                logger.info("order erased")
                count("OrdersErased")
        progress.found.payment_tokens += found.payment_tokens
        progress.found.orders += found.orders
