"""Submissions of orders, as a run publishes them, and what has to become of each.

The audit's own judgement: nothing here calls the intake. An order is valid if the contract's model and the limits
beside it say so; content hashes are computed here. So an intake that refuses a valid order, accepts an invalid one, or
takes two contents for the same shows as a difference.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from events.integration import MAX_CANONICAL_BYTES, OrderSubmitted
from events.model import MAX_AMOUNT, OwnOrderId

Key = tuple[str | None, str]
"""An order id, None where it is not usable, and a digest of the content: what distinguishes submissions."""

_ID: TypeAdapter[str] = TypeAdapter(OwnOrderId)


@dataclass(frozen=True)
class Submission:
    """An ``OrderSubmitted`` as the shop ``shop`` publishes it: ``detail`` is any JSON, valid or not.

    ``expected`` is what it must end as (``CONFIRMED``, a reason to cancel, ``REJECTED``, ``DEAD_LETTER``), where that
    is known beforehand.
    """

    shop: str
    detail: Mapping[str, Any]
    expected: str | None = None

    @cached_property
    def order(self) -> OrderSubmitted | None:
        """The order in it; None where it is not valid, and has to be refused."""
        text = canonical(self.detail)
        if len(text.encode()) > MAX_CANONICAL_BYTES:
            return None
        try:
            order = OrderSubmitted.model_validate_json(text)
        except ValidationError:
            return None
        return order if sum(line.quantity * line.unit_price for line in order.lines) <= MAX_AMOUNT else None

    @cached_property
    def order_id(self) -> str | None:
        """The id of its order, with the shop; None where that is not usable: no event can be about it, so it must be a
        dead letter.
        """
        try:
            return f"{self.shop}.{_ID.validate_python(self.detail.get('order_id'), strict=True)}"
        except ValidationError:
            return None

    @cached_property
    def text(self) -> str:
        """Its canonical JSON; of a valid order without the fields that are null."""
        return canonical(self.order.model_dump(mode="json", exclude_none=True) if self.order else self.detail)

    def content_hash(self, key: bytes) -> str:
        """What the log has for its content: HMAC-SHA-256 of its canonical JSON, in hex.

        Args:
            key: of a placed order, the one in the vault; of a rejection, the environment's.
        """
        return hmac.digest(key, self.text.encode(), "sha256").hex()

    @cached_property
    def key(self) -> Key:
        """Which submission it is: the same for the same content, however often it is published."""
        return self.order_id, hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def lines(self) -> Sequence[Any]:
        """Its lines, as far as it has any."""
        lines = self.detail.get("lines")
        return lines if isinstance(lines, Sequence) else ()


def canonical(content: Any) -> str:
    """JSON that is the same for the same content: keys sorted, no white space, half a surrogate pair as ``?``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="replace").decode()


def distinct(submissions: Sequence[Submission]) -> list[Submission]:
    """Each submission once, in the order of first appearance."""
    first: dict[Key, Submission] = {}
    for each in submissions:
        first.setdefault(each.key, each)
    return list(first.values())
