"""Callers of the HTTP API: who they are and what they may do, as the gateway read it from their token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from events.envelope import Actor
from events.model import Model, Shop, Text
from handlers.intake.parties import Parties

READ = "orders/read"
"""Look at the orders of one's shop, and at stock."""

WRITE = "orders/write"
"""Place orders for one's shop, and cancel them."""

OPERATE = "orders/operate"
"""Look at and cancel the orders of every shop."""


class Caller(Model):
    """A caller: the token's subject and client, and its scopes, space separated.

    ``shop`` is the one that the authorizer found; the gateway's own authorizer finds none.
    """

    subject: Text
    client: Text
    scopes: str = ""
    shop: Annotated[Shop | None, BeforeValidator(lambda shop: shop or None)] = None

    @property
    def operates(self) -> bool:
        """Whether the caller may act on the orders of every shop."""
        return OPERATE in self.scopes.split()

    @property
    def actor(self) -> Actor:
        """The caller in the metadata of what they cause."""
        return Actor(door="http", principal=f"{self.shop}/{self.client}" if self.shop else self.subject)

    def of_parties(self, parties: Parties) -> Caller:
        """The caller with the shop of their client, where the authorizer did not say. Operators have none."""
        if self.shop or self.operates:
            return self
        return self.model_copy(update={"shop": parties.shop_of_client(self.client)})

    def may_see(self, shop: str) -> bool:
        """Whether that shop's orders are the caller's own, or the caller an operator."""
        return self.operates or self.shop == shop


def authorized(authorizer: Mapping[str, Any]) -> Caller:
    """The caller in a request that the gateway authorized, by the pool's claims or by our own authorizer."""
    claims = authorizer.get("claims")
    if claims is not None:
        return Caller(subject=claims["sub"], client=claims["client_id"], scopes=claims["scope"])
    return Caller(
        subject=authorizer["subject"],
        client=authorizer["client"],
        scopes=authorizer["scopes"],
        shop=authorizer.get("shop"),
    )
