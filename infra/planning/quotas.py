"""AWS's quotas and limits as an account has them by default, by region (`quotas.json` has their sources). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

_FILE = Path(__file__).parent / "quotas.json"


class UnknownRegion(Exception):
    """There is no such region, or its quotas are not known here; the message names those that are."""


@dataclass(frozen=True)
class DefaultQuota:
    """A quota: what it is called and counted in, how much of it there is, and where that is from.

    ``regions`` are those where it is not ``value``. ``adjustable``: AWS raises it when asked, by its ``code`` in
    Service Quotas where that is known. ``read``: when its source was read.
    """

    name: str
    unit: str
    value: float
    source: str
    read: str
    adjustable: bool
    regions: Mapping[str, float] = field(default_factory=dict)
    service: str | None = None
    code: str | None = None
    note: str | None = None

    def there_is(self, region: str) -> float:
        """How much of it an account has by default."""
        return self.regions.get(region, self.value)


@dataclass(frozen=True)
class Quotas:
    """The file: the regions that are known, and the quotas by name."""

    about: str
    regions: tuple[str, ...]
    quotas: Mapping[str, DefaultQuota]


@cache
def known() -> Quotas:
    """What is in the file."""
    return TypeAdapter(Quotas).validate_json(_FILE.read_bytes())


def checked_region(region: str) -> str:
    """The region.

    Raises:
        UnknownRegion: its quotas are not known.
    """
    if region not in known().regions:
        raise UnknownRegion(f"there is no region {region!r}; there is: {', '.join(known().regions)}")
    return region
