"""Sending an e-mail by SES, which has no idempotency key: the same request again is another e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

_SERVER_ERROR = 500


class NotSent(Exception):
    """The e-mail was certainly not sent. This says the error's code alone: what SES says besides holds the address."""


class MaybeSent(Exception):
    """No answer came from SES, or one that does not say whether the e-mail was sent."""


@dataclass(frozen=True, slots=True)
class Email:
    """What a customer reads."""

    subject: str
    body: str


def send(mail: SESV2Client, sender: str, to: str, email: Email) -> str:
    """Hand an e-mail to SES; returns the message id that it answers with.

    Raises:
        NotSent: SES refused it, or could not be reached.
        MaybeSent: SES failed, or its answer was lost.
    """
    try:
        sent = mail.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [to]},
            Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
        )
    except ClientError as failure:
        code = failure.response["Error"]["Code"]
        if failure.response["ResponseMetadata"]["HTTPStatusCode"] < _SERVER_ERROR:
            raise NotSent(code) from None
        raise MaybeSent(code) from None
    except (EndpointConnectionError, ConnectTimeoutError) as failure:
        raise NotSent(type(failure).__name__) from None
    except HTTPClientError as failure:
        raise MaybeSent(type(failure).__name__) from None
    return sent["MessageId"]
