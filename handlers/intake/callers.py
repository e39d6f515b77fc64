"""Callers of the HTTP API: who they are and what they may do, as the gateway read it from their token."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from events.model import Id
from events.ordering import Customer

READ = "orders/read"
"""Look at one's own orders, and at stock."""

WRITE = "orders/write"
"""Place orders, and cancel one's own."""

OPERATE = "orders/operate"
"""Look at and cancel anybody's orders."""


class Caller(BaseModel):
    """A caller; ``scopes`` are space separated."""

    model_config = ConfigDict(frozen=True)

    customer_id: Id
    scopes: str = ""

    @property
    def operates(self) -> bool:
        """Whether the caller may act on anybody's orders."""
        return OPERATE in self.scopes.split()

    def may_act_for(self, customer: Customer | None) -> bool:
        """Whether an order of ``customer`` is the caller's own, or the caller an operator."""
        return self.operates or (customer is not None and customer.customer_id == self.customer_id)


def authorized(authorizer: Mapping[str, Any]) -> Caller:
    """The caller in a request that the gateway authorized, by the pool's claims or by our own authorizer."""
    claims = authorizer.get("claims")
    if claims is not None:
        return Caller(customer_id=claims["sub"], scopes=claims["scope"])
    return Caller(customer_id=authorizer["customer_id"], scopes=authorizer["scopes"])
