"""The settings of the HTTP API: whose tokens it accepts, and how much who may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from events.model import Shop
from infra.settings.model import SettingsModel

HOUR, DAY = 3600, 24 * 3600

Rate = Annotated[int, Field(ge=1, le=10_000)]
"""Requests a second."""

Url = Annotated[str, Field(pattern=r"^(https://[^\s/]+|http://127\.0\.0\.1)(:\d+)?(/\S*)?$")]
"""Over TLS, but for this machine's own."""


class IssuerSettings(SettingsModel):
    """An identity provider of your own, instead of the user pool.

    ``audience``: the accepted values of the claim ``aud``, or, in tokens without one, of ``client_id``.
    """

    issuer: Url
    jwks_url: Url
    audience: Annotated[tuple[str, ...], Field(min_length=1)]


class PlanSettings(SettingsModel):
    """What one caller may ask: orders, cancellations and questions a second each, and in all a day.

    A burst may be twice as many at once.
    """

    orders_per_second: Rate = 100
    questions_per_second: Rate = 200
    requests_per_day: Annotated[int, Field(ge=1)] = 2_000_000

    @property
    def per_second(self) -> int:
        """Requests of any kind."""
        return self.orders_per_second + self.questions_per_second

    @model_validator(mode="after")
    def _quota_fits_rate(self) -> Self:
        rate = self.per_second
        if not rate * HOUR <= self.requests_per_day <= rate * DAY:
            raise ValueError(
                f"requests_per_day is {self.requests_per_day}, but {rate} a second are {rate * HOUR} in an hour and "
                f"{rate * DAY} in a day: a caller who keeps to the rate would be shut out within the hour, or the "
                "quota would never be reached"
            )
        return self


class ApiSettings(SettingsModel):
    """The API.

    ``requests_per_second`` are those of all callers together. ``plans`` are those of shops that have one of their own;
    the others, and operators, have ``plan``. With ``account_log_role`` the deployment sets the role by which API
    Gateway writes logs, of which a region of an account has one: leave that to one environment. With
    ``pool_authorizer`` the gateway's own authorizer checks the tokens of the user pool. With ``firewall``, AWS WAF is
    in front of it: an address may ask as much as the largest plan allows.
    """

    requests_per_second: Rate = 500
    plan: PlanSettings = PlanSettings()
    plans: Mapping[Shop, PlanSettings] = {}
    account_log_role: bool = True
    pool_authorizer: bool = False
    firewall: bool = True
    issuer: IssuerSettings | None = None

    @property
    def largest_plan_per_second(self) -> int:
        """The requests that the caller may send who may send most."""
        return max(plan.per_second for plan in (self.plan, *self.plans.values()))

    @model_validator(mode="after")
    def _pool_knows_its_own_tokens_alone(self) -> Self:
        if self.issuer and self.pool_authorizer:
            raise ValueError(f"pool_authorizer: the gateway's own authorizer does not know {self.issuer.issuer}")
        return self
