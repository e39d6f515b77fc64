"""The settings of what an environment costs: who pays, and who is told before it is too much."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infra.settings.model import EmailAddress, SettingsModel

CostCenter = Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._:/=+@-]{1,256}$")]
"""The value of a tag."""


class BudgetSettings(SettingsModel):
    """What the account may cost a month in US dollars. Besides the topic of alarms, ``email`` is told."""

    monthly_usd: Annotated[int, Field(ge=1)]
    email: EmailAddress | None = None


class CostSettings(SettingsModel):
    """Who pays: ``center`` is a tag of everything there is. Without a ``budget``, nobody is told what it costs."""

    center: CostCenter | None = None
    budget: BudgetSettings | None = None
