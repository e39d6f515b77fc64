"""The settings of an environment, read from its file and validated."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from events.integration import PUBLISHED_BY, Role
from events.model import Shop
from handlers.intake.parties import ANY, OPERATORS, Parties, Party

FOLDER = Path(__file__).parent

Source = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._/-]{1,256})$")]
"""An EventBridge source, or ``*`` for every one that nobody names."""

Client = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._-]{1,128})$")]
"""A client of the token issuer, or ``*`` for every one that nobody names."""

Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""The name of a folder below ``incoming/``."""

PartnerName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]

_EVERY_ROLE: tuple[Role, ...] = tuple(dict.fromkeys(PUBLISHED_BY.values()))


class InvalidSettings(Exception):
    """The settings cannot be used; the message names each field that is wrong, and why."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShopSettings(_Settings):
    """A shop: the EventBridge sources of its events, its clients, and the folder of its files (its slug by default).

    A shop whose source is ``*`` publishes in every role. ``claims`` are those by which tokens of an issuer of your own
    name the shop, before the client does; all of them must be in the token.
    """

    sources: tuple[Source, ...] = ()
    clients: tuple[Client, ...] = ()
    claims: Mapping[str, str] = {}
    folder: Folder | None = None


class PartnerSettings(_Settings):
    """A warehouse or a carrier, and the EventBridge source of its events."""

    role: Literal["warehouse", "carrier"]
    source: Source


class Settings(_Settings):
    """The settings of an environment: shops by slug, warehouses and carriers by name."""

    shops: Annotated[Mapping[Shop, ShopSettings], Field(min_length=1)]
    partners: Mapping[PartnerName, PartnerSettings] = {}

    @property
    def parties(self) -> Parties:
        """Everybody who is let in, as the functions at the doors read it."""
        sources = {
            source: Party(name=name, roles=_EVERY_ROLE if source == ANY else ("shop",))
            for name, shop in self.shops.items()
            for source in shop.sources
        }
        sources |= {each.source: Party(name=name, roles=(each.role,)) for name, each in self.partners.items()}
        return Parties(
            shops=tuple(self.shops),
            sources=sources,
            clients={client: name for name, shop in self.shops.items() for client in shop.clients},
            claims={name: shop.claims for name, shop in self.shops.items() if shop.claims},
            folders={shop.folder or name: name for name, shop in self.shops.items()},
        )


def file_of(environment: str) -> Path:
    """Where the settings of an environment are."""
    return FOLDER / f"{environment}.toml"


def read_settings(file: Path) -> Settings:
    """The settings in a file.

    Raises:
        InvalidSettings: it cannot be read, or is not valid.
    """
    try:
        return parsed(file.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise InvalidSettings(f"{file}: {unreadable.strerror}") from unreadable
    except InvalidSettings as invalid:
        raise InvalidSettings(f"{file}: {invalid}") from invalid


def parsed(text: str) -> Settings:
    """The settings in a text.

    Raises:
        InvalidSettings: it is not TOML, or not valid.
    """
    try:
        settings = TypeAdapter(Settings).validate_python(tomllib.loads(text))
    except ValueError as invalid:
        raise InvalidSettings(_reasons(invalid)) from invalid
    if wrong := list(_claimed_twice(settings)):
        raise InvalidSettings("; ".join(wrong))
    return settings


def _reasons(invalid: ValueError) -> str:
    if isinstance(invalid, ValidationError):
        return "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors())
    return str(invalid)


def _claimed_twice(settings: Settings) -> Iterator[str]:
    """What two parties claim as theirs."""
    shops = settings.shops.items()
    sources = [source for _, shop in shops for source in shop.sources]
    yield from _twice("source", [*sources, *(each.source for each in settings.partners.values())])
    yield from _twice("client", (client for _, shop in shops for client in shop.clients))
    yield from _twice("folder", (shop.folder or name for name, shop in shops))
    yield from _twice("set of claims", (str(dict(sorted(shop.claims.items()))) for _, shop in shops if shop.claims))
    yield from _twice("name", [OPERATORS, *settings.shops, *settings.partners])


def _twice(what: str, claimed: Iterable[str]) -> Iterator[str]:
    for value, times in Counter(claimed).items():
        if times > 1:
            yield f"the {what} {value!r} is claimed {times} times"
