"""What every part of the settings has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

EmailAddress = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class SettingsModel(BaseModel):
    """A part of the settings: what it does not know is refused, and nothing changes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
