"""Sending an e-mail by SES, which has no idempotency key: the same request again is another e-mail.

SES takes so many e-mails a second, and so many in 24 hours, from the whole account, and none while it has suspended or
paused the account's sending. What exceeds its rate is tried again at once, with growing waits, so that those who send
come to share the rate. What it does not take then is sent later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError

from events.shops import own_id, shop_of
from handlers.retry_policy import Throttled, meaning, until_admitted
from handlers.runtime.postponing import NotNow

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SHOP_TAG, ORDER_TAG = "shop", "order"
"""The tags of an e-mail, by which SES's reports name the order. No value may have the dot of an order's id."""

_SERVER_ERROR = 500

_TAKES_NONE = {"LimitExceededException", "AccountSuspendedException", "SendingPausedException"}
"""The codes by which SES says that it takes no e-mail of the account for now: its daily quota is used up, or its
operators have to see to it. Source: SES API v2 Reference, SendEmail."""

_UNVERIFIED = "MailFromDomainNotVerifiedException"


class NotSent(Exception):
    """The e-mail was certainly not sent. This says the error's code alone: what SES says besides holds the address."""


class SesTakesNone(NotSent, NotNow):
    """SES takes no e-mail of the account now, whoever it is for."""


class NotVerified(NotSent):
    """SES does not know that the sender's address is the account's own; in its sandbox, or the recipient's."""

    def __init__(self, code: str) -> None:
        super().__init__(f"{code}: the sender is not verified in SES, or, in SES's sandbox, the recipient is not")


class MaybeSent(Exception):
    """No answer came from SES, or one that does not say whether the e-mail was sent."""


@dataclass(frozen=True, slots=True)
class Email:
    """What a customer reads."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Mailer:
    """Sends e-mails from one address.

    Args:
        ses: a client of SES that sends no request twice by itself.
        sender: the address.
        configuration_set: the name of the set by which SES reports what becomes of the e-mails, and sends none to an
            address that has bounced or complained.
    """

    ses: SESV2Client
    sender: str
    configuration_set: str

    def send(self, to: str, email: Email, order_id: str) -> str:
        """Hand an e-mail about an order to SES, more slowly where it exceeds SES's rate; returns SES's message id.

        What SES reports of the e-mail names the order, as its shop does, and the shop.

        Raises:
            SesTakesNone: SES takes none for now: try again much later.
            NotVerified: a person has to verify an address or a domain first.
            NotSent: SES refused it, or could not be reached.
            MaybeSent: SES failed, or its answer was lost.
        """
        try:
            return until_admitted(lambda: self._attempt(to, email, order_id))
        except Throttled as throttled:
            raise SesTakesNone(str(throttled)) from None

    def _attempt(self, to: str, email: Email, order_id: str) -> str:
        """Send; raises what `send` does, and Throttled where it exceeds SES's rate."""
        try:
            sent = self.ses.send_email(
                FromEmailAddress=self.sender,
                Destination={"ToAddresses": [to]},
                Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
                ConfigurationSetName=self.configuration_set,
                EmailTags=[
                    {"Name": SHOP_TAG, "Value": shop_of(order_id)},
                    {"Name": ORDER_TAG, "Value": own_id(order_id)},
                ],
            )
        except ClientError as failure:
            raise _refusal(failure) from None
        except (EndpointConnectionError, ConnectTimeoutError) as failure:
            raise NotSent(type(failure).__name__) from None
        except HTTPClientError as failure:
            raise MaybeSent(type(failure).__name__) from None
        return sent["MessageId"]


def _refusal(failure: ClientError) -> Exception:
    """What SES means by an error."""
    code, said = failure.response["Error"]["Code"], failure.response["Error"].get("Message", "")
    if failure.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR:
        return MaybeSent(code)
    if meaning([code]) is Throttled:
        return Throttled(code)
    if code in _TAKES_NONE:
        return SesTakesNone(code)
    # For a sender, or a recipient in the sandbox, that is not verified there is no code of its own.
    return NotVerified(code) if code == _UNVERIFIED or "not verified" in said else NotSent(code)
