"""Sending an e-mail. It has no idempotency key: who dies between sending and remembering sends the same once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class NotSent(Exception):
    """SES did not take an e-mail, for the reason that this code names. What it says besides holds the address."""


@dataclass(frozen=True, slots=True)
class Email:
    """What a customer reads."""

    subject: str
    body: str


def send(mail: SESV2Client, sender: str, to: str, email: Email) -> str:
    """Hand an e-mail to SES; returns the message id that it answers with.

    Raises:
        NotSent: SES did not take it.
    """
    try:
        sent = mail.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [to]},
            Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
        )
    except ClientError as failure:
        raise NotSent(failure.response["Error"]["Code"]) from None
    return sent["MessageId"]
