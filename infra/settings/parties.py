"""The settings of who is let in: shops, warehouses and carriers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from events.integration import PUBLISHED_BY, Role
from events.model import Shop
from handlers.intake.parties import ANY, OPERATORS, Parties, Party
from infra.settings.model import SettingsModel

Source = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._/-]{1,256})$")]
"""An EventBridge source, or ``*`` for every one that nobody names."""

Client = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._-]{1,128})$")]
"""A client of the token issuer, or ``*`` for every one that nobody names."""

Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""The name of a folder below ``incoming/``."""

PartnerName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]

_EVERY_ROLE: tuple[Role, ...] = tuple(dict.fromkeys(PUBLISHED_BY.values()))


class ShopSettings(SettingsModel):
    """A shop: the EventBridge sources of its events, its clients, and the folder of its files (its slug by default).

    A shop whose source is ``*`` publishes in every role. ``claims`` are those by which tokens of an issuer of your own
    name the shop, before the client does; all of them must be in the token.
    """

    sources: tuple[Source, ...] = ()
    clients: tuple[Client, ...] = ()
    claims: Mapping[str, str] = {}
    folder: Folder | None = None


class PartnerSettings(SettingsModel):
    """A warehouse or a carrier, and the EventBridge source of its events."""

    role: Literal["warehouse", "carrier"]
    source: Source


Shops = Annotated[Mapping[Shop, ShopSettings], Field(min_length=1)]
Partners = Mapping[PartnerName, PartnerSettings]


def parties(shops: Shops, partners: Partners) -> Parties:
    """Everybody who is let in, as the functions at the doors read it."""
    sources = {
        source: Party(name=name, roles=_EVERY_ROLE if source == ANY else ("shop",))
        for name, shop in shops.items()
        for source in shop.sources
    }
    sources |= {each.source: Party(name=name, roles=(each.role,)) for name, each in partners.items()}
    return Parties(
        shops=tuple(shops),
        sources=sources,
        clients={client: name for name, shop in shops.items() for client in shop.clients},
        claims={name: shop.claims for name, shop in shops.items() if shop.claims},
        folders={shop.folder or name: name for name, shop in shops.items()},
    )


def claimed_twice(shops: Shops, partners: Partners) -> Iterator[str]:
    """What two parties claim as theirs."""
    named = shops.items()
    sources = [source for _, shop in named for source in shop.sources]
    yield from _twice("source", [*sources, *(each.source for each in partners.values())])
    yield from _twice("client", (client for _, shop in named for client in shop.clients))
    yield from _twice("folder", (shop.folder or name for name, shop in named))
    yield from _twice("set of claims", (str(dict(sorted(shop.claims.items()))) for _, shop in named if shop.claims))
    yield from _twice("name", [OPERATORS, *shops, *partners])


def _twice(what: str, claimed: Iterable[str]) -> Iterator[str]:
    for value, times in Counter(claimed).items():
        if times > 1:
            yield f"the {what} {value!r} is claimed {times} times"
