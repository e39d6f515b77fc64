"""The environment that is loaded."""

from __future__ import annotations

from tests.acceptance.environment import Environment
from tests.load.records import Request

_MAILBOX = "load@example.com"


def environment_of(request: Request) -> Environment:
    """The environment that a request names: on AWS, or on this machine."""
    if request.endpoint is not None:
        return Environment.behind(request.endpoint)
    assert request.environment is not None
    return Environment.on_aws(request.environment)


def email_of(environment: Environment) -> str | None:
    """Where e-mails go: nobody gets one from an environment on AWS, whose account has a quota of them."""
    return _MAILBOX if environment.here else None
