"""SES as moto imitates it: a client, a sender that may send, and what was sent."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from handlers.notification.email_sending import Mailer
from handlers.runtime import aws
from tests.builders.environment import CONFIGURATION_SET, SENDER


@functools.cache
def ses() -> Any:
    return aws.ses()


def mailer() -> Mailer:
    """Sends as the functions do."""
    return Mailer(ses(), SENDER, CONFIGURATION_SET)


@contextmanager
def verified_sender() -> Iterator[None]:
    """SES sends for a verified sender only. Nothing that was sent is left afterwards."""
    ses().create_email_identity(EmailIdentity=SENDER)
    yield
    ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].reset()


def sent() -> list[Any]:
    messages: list[Any] = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    return messages
