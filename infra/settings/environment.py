"""The settings of an environment, read from its file and validated. What is not in them, a deployment does not know."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from handlers.intake.parties import Parties
from infra.names import ENVIRONMENT
from infra.settings.alarms import AlarmSettings
from infra.settings.api import ApiSettings
from infra.settings.cost import CostSettings
from infra.settings.functions import Functions
from infra.settings.model import EmailAddress, SettingsModel
from infra.settings.options import BackupSettings, KeySettings, NetworkSettings
from infra.settings.parties import Partners, Shops, claimed_twice, parties

FOLDER = Path(__file__).parent

EVERYTHING = FOLDER / "examples" / "everything.toml"
"""The example with all options."""

EmailIdentity = Annotated[str, Field(pattern=r"^([^@\s*?]+@)?[^@\s*?]+\.[^@\s*?]+$")]
"""An address or a domain, as SES has it."""

TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]

# fmt: off
LogDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
# fmt: on
"""For how many days CloudWatch keeps logs. Source: CloudWatch Logs API Reference, PutRetentionPolicy."""


class InvalidSettings(Exception):
    """The settings cannot be used; the message names each field that is wrong, and why."""


class EmailSettings(SettingsModel):
    """Where e-mails come from.

    ``identity``: a domain or an address that SES knows already. Without it, the deployment makes one of the sender.
    ``sandbox_recipients``: domains and addresses that SES knows, too, to which e-mails may go while the account is in
    SES's sandbox.
    """

    sender: EmailAddress
    identity: str | None = None
    sandbox_recipients: tuple[EmailIdentity, ...] = ()

    @model_validator(mode="after")
    def _identity_is_of_sender(self) -> Self:
        if self.identity and self.sender != self.identity and not self.sender.endswith(f"@{self.identity}"):
            raise ValueError(f"the sender {self.sender} is neither {self.identity} nor an address of that domain")
        return self


class AdoptedTable(SettingsModel):
    """A table that is there already, such as one that was restored: by its name."""

    name: TableName


class AdoptedStreamingTable(AdoptedTable):
    """The same with a stream, by the label of the stream (``LatestStreamLabel``)."""

    stream: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$")]


class AdoptSettings(SettingsModel):
    """Tables to use instead of the ones that the deployment would make: they stay as they are."""

    orders: AdoptedStreamingTable | None = None
    vault: AdoptedTable | None = None


class LogSettings(SettingsModel):
    """For how many days logs are kept."""

    days: LogDays = 30


class SweepSettings(SettingsModel):
    """After how many minutes an order without an outcome gets its saga from the sweep: longer than a saga takes."""

    after_minutes: Annotated[int, Field(ge=6, le=24 * 60)] = 10


class Settings(SettingsModel):
    """The settings of an environment: shops by slug, warehouses and carriers by name, and all the rest.

    ``account`` and ``region`` are where it is deployed, and nowhere else. ``protected``: neither the stacks nor what
    holds data can be deleted before this is false and deployed. ``gradual``: a new version of what callers wait for
    takes over within five minutes, and not at all if its alarms ring; otherwise it takes over at once. ``lane``: the
    state machine that a placed order starts; the Express one hands over to the Standard one what does not go well.
    """

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    protected: bool = True
    gradual: bool = False
    lane: Literal["express", "standard"] = "express"
    adopt: AdoptSettings = AdoptSettings()
    email: EmailSettings
    api: ApiSettings = ApiSettings()
    functions: Functions = Field(default={})
    alarms: AlarmSettings = AlarmSettings()
    logs: LogSettings = LogSettings()
    sweep: SweepSettings = SweepSettings()
    cost: CostSettings = CostSettings()
    keys: KeySettings = KeySettings()
    network: NetworkSettings = NetworkSettings()
    backup: BackupSettings = BackupSettings()
    shops: Shops
    partners: Partners = Field(default={})

    @property
    def parties(self) -> Parties:
        """Everybody who is let in, as the functions at the doors read it."""
        return parties(self.shops, self.partners)


def file_of(environment: str) -> Path:
    """Where the settings of an environment are.

    Raises:
        InvalidSettings: an environment cannot be called that.
    """
    if not ENVIRONMENT.fullmatch(environment):
        raise InvalidSettings(f"{environment!r} is no environment: 1 to 16 of a-z and 0-9, a letter first")
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
    wrong = list(claimed_twice(settings.shops, settings.partners))
    wrong += [f"api.plans.{name}: there is no such shop" for name in settings.api.plans if name not in settings.shops]
    outcome, swept = settings.alarms.outcome_minutes, settings.sweep.after_minutes
    if outcome <= swept:
        wrong.append(f"alarms.outcome_minutes: {outcome} is not above sweep.after_minutes, {swept}")
    zones = settings.network.availability_zones
    wrong += [
        f"network.availability_zones: {zone} is not in {settings.region}"
        for zone in zones
        if not zone.startswith(settings.region)
    ]
    if wrong:
        raise InvalidSettings("; ".join(wrong))
    return settings


def _reasons(invalid: ValueError) -> str:
    if isinstance(invalid, ValidationError):
        return "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors())
    return str(invalid)
