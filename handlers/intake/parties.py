"""Parties: who is let in at which door, as the environment's settings say.

Which shop a request is of follows from who sent it, never from what it says: from the EventBridge source of an event,
from the client that a token was given to, from the folder that a file was dropped into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.integration import Role
from events.model import Model, Shop, Text

ANY = "*"
"""Stands for every source, client or folder that no party names."""

OPERATORS = "operators"
"""Stands for those who see all shops, and are none: no party has that name."""


COMMAND_LINE = "pipeline.cli."
"""What the EventBridge source begins with of what an operator submits for a shop, which it ends with."""


class Party(Model):
    """A shop, by its slug, or a warehouse or carrier, by its name; and in which roles it may publish."""

    name: Text
    roles: tuple[Role, ...]


class Parties(Model):
    """Everybody who is let in: shops by client, claims and folder, and all parties by source."""

    shops: tuple[Shop, ...]
    sources: Mapping[str, Party]
    clients: Mapping[str, Shop]
    claims: Mapping[Shop, Mapping[str, str]]
    folders: Mapping[str, Shop]

    def publisher(self, source: str) -> Party | None:
        """Whose events with that EventBridge source are, or None where it is nobody's."""
        shop = source.removeprefix(COMMAND_LINE)
        if shop != source and shop in self.shops:
            return Party(name=shop, roles=("shop",))
        return self.sources.get(source, self.sources.get(ANY))

    def shop_of_token(self, claims: Mapping[str, Any], client: str) -> str | None:
        """The shop of a token: the one whose claims are all in it, or else that of the client it was given to."""
        for shop, wanted in self.claims.items():
            if all(claims.get(name) == value for name, value in wanted.items()):
                return shop
        return self.shop_of_client(client)

    def shop_of_client(self, client: str) -> str | None:
        """The shop that a token's client belongs to."""
        return self.clients.get(client, self.clients.get(ANY))

    def shop_of_folder(self, folder: str) -> str | None:
        """The shop that drops its files into that folder."""
        return self.folders.get(folder)
