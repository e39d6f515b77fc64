"""The settings of single functions: how many run at once, and how fast the first answer comes."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.settings.model import SettingsModel

Concurrency = Annotated[int, Field(ge=1)]

SNAP_START_FROM = (3, 12)
"""The first Python that Lambda takes snapshots of.

Source: AWS Lambda Developer Guide, "Improving startup performance with Lambda SnapStart".
"""


class ProvisionedSettings(SettingsModel):
    """How many instances are kept ready: at least and at most, as many as are used, and a third more."""

    minimum: Concurrency
    maximum: Concurrency

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.maximum < self.minimum:
            raise ValueError(f"at most {self.maximum} is less than at least {self.minimum}")
        return self


class FunctionSettings(SettingsModel):
    """A function.

    ``reserved``: as many instances are its own, and it has no more. ``snap_start``: instances start from a snapshot of
    one that was started when it was deployed. ``provisioned``: instances are kept ready instead.
    """

    reserved: Concurrency | None = None
    snap_start: bool = False
    provisioned: ProvisionedSettings | None = None

    @model_validator(mode="after")
    def _lambda_takes_it(self) -> Self:
        if self.snap_start and self.provisioned:
            raise ValueError("snap_start and provisioned: Lambda has the one or the other")
        if self.reserved and self.provisioned and self.provisioned.maximum > self.reserved:
            raise ValueError(f"provisioned.maximum {self.provisioned.maximum} is more than reserved {self.reserved}")
        return self


Functions = Mapping[str, FunctionSettings]


def wrong_functions(functions: Functions, known: Container[str], python: str) -> Iterator[str]:
    """What of the settings of functions cannot be had: by the keys of those there are, and the Python they run on."""
    for key, function in functions.items():
        if key not in known:
            yield f"functions.{key}: there is no such function"
        if function.snap_start and tuple(map(int, python.split("."))) < SNAP_START_FROM:
            least = ".".join(map(str, SNAP_START_FROM))
            yield f"functions.{key}.snap_start: Lambda takes none of Python {python}; build with {least} or newer"
