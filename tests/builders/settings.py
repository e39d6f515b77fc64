"""Settings of environments for tests."""

from typing import Any

from infra.names import EMULATOR_ACCOUNT, EMULATOR_REGION
from infra.settings.environment import Settings

PLACE = f"""
account = "{EMULATOR_ACCOUNT}"
region = "{EMULATOR_REGION}"
email.sender = "orders@example.com"
"""
"""What every file of settings begins with: where it is deployed, and where its e-mails come from."""


def settings(**parts: Any) -> Settings:
    """Settings with these parts, of one machine."""
    place = {"account": EMULATOR_ACCOUNT, "region": EMULATOR_REGION, "email": {"sender": "orders@example.com"}}
    return Settings.model_validate({**place, "shops": {"demo": {}}, **parts})
