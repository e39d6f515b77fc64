"""The settings of what is off unless it is set: a key of your own, a private network, and AWS Backup."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.retention import BACKUPS
from infra.settings.model import SettingsModel

LONGEST_BACKUP = BACKUPS.days - 1
"""In days. AWS Backup deletes a backup up to eight hours late."""

ZONES = (2, 3)
"""Of how many availability zones the network is, at least and at most: one may fail, and each costs endpoints."""

Zone = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")]


class KeySettings(SettingsModel):
    """With ``customer_managed``, all that holds orders is encrypted with a KMS key of the environment's own."""

    customer_managed: bool = False


class NetworkSettings(SettingsModel):
    """With ``private``, functions run in subnets of these availability zones, which reach AWS by endpoints alone."""

    private: bool = False
    availability_zones: tuple[Zone, ...] = ()

    @model_validator(mode="after")
    def _zones_of_a_private_network(self) -> Self:
        least, most = ZONES
        if self.private and not least <= len(set(self.availability_zones)) == len(self.availability_zones) <= most:
            raise ValueError(f"a private network needs {least} or {most} different availability_zones")
        if self.availability_zones and not self.private:
            raise ValueError("availability_zones are those of a private network, and private is not set")
        return self


class BackupSettings(SettingsModel):
    """With ``enabled``, AWS Backup backs up both tables each day, and keeps each backup for so many ``days``."""

    enabled: bool = False
    days: Annotated[int, Field(ge=1)] = LONGEST_BACKUP

    @model_validator(mode="after")
    def _gone_when_an_erasure_says_so(self) -> Self:
        if self.days > LONGEST_BACKUP:
            raise ValueError(
                f"days is {self.days}, but an erasure says that no backup has the person after {BACKUPS.days} days, "
                f"and AWS Backup deletes up to eight hours late: at most {LONGEST_BACKUP}"
            )
        return self
