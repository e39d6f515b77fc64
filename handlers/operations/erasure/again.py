"""Erasing again whom a restored table has back, and the steps of that which every erasure takes.

Nothing is logged or measured here: a command line takes these steps on its own tables, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.envelope import Recorded
from handlers.operations.erasure.ledger import Entry, Ledger
from handlers.operations.erasure.progress import Found, Order
from handlers.table.event_store import Appended, EventStore
from handlers.vault.forgetting import Forgetting


@dataclass(frozen=True, slots=True)
class ErasedAgain:
    """How many entries the ledger has, what was found of them, and the events that the log did not have."""

    entries: int
    found: Found
    appended: Sequence[Recorded]


def erase_again(store: EventStore, forgetting: Forgetting, ledger: Ledger, cause: str) -> ErasedAgain:
    """Erase everybody in the ledger from a log and a vault, which may be others than those that are in use.

    Args:
        store: the log.
        forgetting: finds and deletes what is in the vault.
        ledger: the ledger of erasures.
        cause: what causes the events that are appended.

    Raises:
        Retryable: try again; doing it again changes nothing.
    """
    entries, found, appended = 0, Found(), list[Recorded]()
    after: str | None = None
    while page := list(ledger.read(after)):
        appended += record(store, (entry for _, entry in page), cause)
        after, entries = page[-1][0], entries + len(page)
        for _, entry in page:
            if entry.erased.order_id:
                gone = forget(forgetting, Order(order_id=entry.erased.order_id, customer_id=entry.erased.customer_id))
                found.orders += gone.orders
                found.payment_tokens += gone.payment_tokens
    return ErasedAgain(entries, found, appended)


def record(store: EventStore, entries: Iterable[Entry], cause: str) -> list[Recorded]:
    """Append the event of each entry, unless the log has it, on behalf of who decided it; returns those appended."""
    results = [
        store.on_behalf_of(entry.actor).append_if_absent(
            entry.stream, 1, entry.erased, correlation_id=entry.about, causation_id=cause
        )
        for entry in entries
    ]
    return [result.record for result in results if isinstance(result, Appended)]


def forget(forgetting: Forgetting, order: Order, *, dry_run: bool = False) -> Found:
    """Delete what the vault has of an order, first its payment tokens, then the person; returns what that was."""
    tokens = forgetting.payment_tokens(order.order_id)
    persons = forgetting.person(order.order_id, order.customer_id)
    if not dry_run:
        for key in (*tokens, *persons):
            forgetting.delete(key)
    return Found(orders=len(persons), payment_tokens=len(tokens))
