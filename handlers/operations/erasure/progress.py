"""How far an erasure is: what its state machine passes from one call of its function to the next.

An execution is started with who is to be forgotten, and by whom. Every call of the function answers with the same, and
with how far it has got; that is the next call's message.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from events.model import CustomerId, OrderId
from handlers.dead_letters.bucket import Version
from handlers.ordering.order import Status

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=6)
"""The history of an execution has 25,000 entries. A wait takes ten of them: so there is room for more than a year."""


class Message(BaseModel):
    """What travels as JSON: it has these fields, and no others."""

    model_config = ConfigDict(extra="forbid")


class Order(Message):
    """An order, and whose it is: a guest's is nobody's. ``under_way`` is its status where it has not ended."""

    order_id: OrderId
    customer_id: CustomerId | None = None
    under_way: Status | None = None


class Batch(Message):
    """Orders that are erased together. ``ends``: nobody is left after them, so the customer is recorded with them.

    ``swept`` is the dead-letter message up to which all were looked at for them, ``unattributed`` how many of those
    may be anybody's.
    """

    orders: list[Order]
    ends: bool
    swept: Version | None = None
    unattributed: int = 0


class Found(Message):
    """What was erased, or would be: orders with a person in the vault, their payment tokens, dead-letter messages.

    Nobody can tell whose the ``unattributed`` dead-letter messages are. They are left, and expire.
    """

    orders: int = 0
    payment_tokens: int = 0
    dead_letters: int = 0
    unattributed: int = 0


class Progress(Message):
    """Who is to be forgotten, and how far that is.

    It is a customer, the person behind an order, or everybody in the ledger. ``operator`` is the ARN of who asked. A
    dry run changes nothing, and waits for nothing.

    ``after`` is the order, or the key in the ledger, up to which all were looked at; ``listed`` says that it is the
    last. ``batch`` is what the call before had no time to complete, ``under_way`` are the orders to wait for. Where it
    ``waits``, it is for ``wait_seconds``.
    """

    customer_id: CustomerId | None = None
    order_id: OrderId | None = None
    from_ledger: bool = False
    dry_run: bool = False
    operator: Annotated[str, Field(min_length=1, max_length=512)]

    after: str | None = None
    listed: bool = False
    batch: Batch | None = None
    under_way: list[Order] = []
    found: Found = Found()
    done: bool = False
    waits: bool = False
    wait_seconds: int = 0

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if [self.customer_id is not None, self.order_id is not None, self.from_ledger].count(True) != 1:
            raise ValueError("name one of these: a customer, an order, the ledger")
        return self

    def wait(self) -> None:
        """Wait for the orders under way, twice as long each time; a dry run ends here."""
        longer = 2 * timedelta(seconds=self.wait_seconds) or _FIRST_WAIT
        self.wait_seconds = int(min(longer, _LONGEST_WAIT).total_seconds())
        self.waits, self.done = not self.dry_run, self.dry_run
