"""Names of a deployment, for those who use it without synthesizing it: nothing here imports CDK.

An environment is one deployment. What has a name has it under its environment, so that several fit into an account.
"""

from __future__ import annotations

import re

ENVIRONMENT = re.compile(r"[a-z][a-z0-9]{0,15}")
"""What an environment may be called."""

PRODUCT = "OrderPipeline"
API_STAGE = "v1"

DEMO_SHOP = "demo"
"""The shop in the settings that ship."""

LOCAL_ENVIRONMENT = "dev"
"""The environment that runs on one machine."""

EMULATOR_REGION = "us-east-1"
EMULATOR_ACCOUNT = "000000000000"
"""The account on one machine. To the emulator, an access key of 12 digits is the root of the account of that number."""


def application_stack(environment: str) -> str:
    """The stack of everything that can be made anew, and the namespace of its metrics."""
    return f"{PRODUCT}-{environment}"


def data_stack(environment: str) -> str:
    """The stack of everything that holds data."""
    return f"{application_stack(environment)}-data"


def environment_of(stack: str) -> str | None:
    """The environment whose application a stack is; None if it is no application of ours."""
    product, _, environment = stack.partition("-")
    return environment if product == PRODUCT and ENVIRONMENT.fullmatch(environment) else None


def in_template(key: str) -> str:
    """What ids and outputs of the stack begin with that belong to the function, or the saga start, with that key."""
    return "".join(part.capitalize() for part in key.split("_"))
